package main

import (
	"context"
	"flag"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// What the components of our own are given.
type settings struct {
	kubeconfig string
	address    string // of the node, where they listen
}

func parseSettings(name string) settings {
	var given settings
	flags := flag.NewFlagSet(name, flag.ExitOnError)
	flags.StringVar(&given.kubeconfig, "kubeconfig", "", "how the API server is reached")
	flags.StringVar(&given.address, "address", "", "the node's address")
	_ = flags.Parse(os.Args[1:]) // it exits for an error
	return given
}

// connect gives a client and informers that follow the API server until the context ends.
func (given settings) connect() (kubernetes.Interface, informers.SharedInformerFactory, error) {
	config, err := clientcmd.BuildConfigFromFlags("", given.kubeconfig)
	if err != nil {
		return nil, nil, err
	}
	config.ContentType = "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, nil, err
	}
	return client, informers.NewSharedInformerFactory(client, 0), nil
}

func untilStopped() context.Context {
	ctx, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	return ctx
}
