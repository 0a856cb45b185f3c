// One program with all that a Kubernetes of one node needs: `kube apiserver …`, `kube kubelet …`.
//
// Each component is a process of its own, with upstream's unchanged code and flags. They share
// a file because they share most of their packages: it is built and stored once.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	_ "time/tzdata" // time zones of CronJobs

	"github.com/spf13/cobra"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// Each is called with os.Args as if it were a program of its own.
var components = map[string]func() error{
	"apiserver":          upstream(apiserver.NewAPIServerCommand),
	"controller-manager": upstream(controllermanager.NewControllerManagerCommand),
	"scheduler": upstream(func() *cobra.Command {
		return scheduler.NewSchedulerCommand()
	}),
	"kubelet": upstream(func() *cobra.Command {
		return kubelet.NewKubeletCommand(context.Background())
	}),
	"proxy":   upstream(proxy.NewProxyCommand),
	"kubectl": runKubectl,
	"etcd":    runEtcd,
	"dns":     runDNS,
	"ingress": runIngress,
}

func upstream(command func() *cobra.Command) func() error {
	return func() error {
		os.Exit(cli.Run(command()))
		return nil
	}
}

// As upstream's cmd/kubectl does it.
func runKubectl() error {
	logs.GlogSetter(kubectl.GetLogVerbosity(os.Args)) // nolint:errcheck
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
	}
	return nil
}

// The component that is asked for: by the name the program is called by (a link named kubectl),
// else by the first argument, which is then taken out of os.Args.
func chosen() (func() error, bool) {
	if run, ok := components[filepath.Base(os.Args[0])]; ok {
		return run, true
	}
	if len(os.Args) < 2 {
		return nil, false
	}
	run, ok := components[os.Args[1]]
	os.Args = append([]string{os.Args[1]}, os.Args[2:]...)
	return run, ok
}

func main() {
	run, ok := chosen()
	if !ok {
		names := make([]string, 0, len(components))
		for name := range components {
			names = append(names, name)
		}
		sort.Strings(names)
		fmt.Fprintln(os.Stderr, "usage: kube COMPONENT …, one of:", strings.Join(names, " "))
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
