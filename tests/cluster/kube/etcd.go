package main

import (
	"flag"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"go.etcd.io/etcd/server/v3/embed"
)

// runEtcd keeps the cluster's state in a directory that need not outlive the machine: nothing is
// synced to the disk.
func runEtcd() error {
	flags := flag.NewFlagSet("etcd", flag.ExitOnError)
	directory := flags.String("data-dir", "", "where the data are")
	clients := flags.String("client-url", "", "where clients are served, such as unix://etcd:0")
	peers := flags.String("peer-url", "", "where peers would be served")
	if err := flags.Parse(os.Args[1:]); err != nil {
		return err
	}
	client, err := url.Parse(*clients)
	if err != nil {
		return err
	}
	peer, err := url.Parse(*peers)
	if err != nil {
		return err
	}
	config := embed.NewConfig()
	config.Dir = *directory
	config.UnsafeNoFsync = true
	config.LogLevel = "warn"
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	defer server.Close()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	select {
	case err := <-server.Err():
		return err
	case <-stop:
		return nil
	}
}
