package main

import (
	discovery "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
)

func slicesOf(
	lister discoverylisters.EndpointSliceLister, namespace, service string,
) []*discovery.EndpointSlice {
	selector := labels.SelectorFromSet(labels.Set{discovery.LabelServiceName: service})
	slices, err := lister.EndpointSlices(namespace).List(selector)
	if err != nil { // never from a cache
		return nil
	}
	return slices
}

// readyAddresses are those of the pods that serve, as far as the API server knows.
func readyAddresses(slice *discovery.EndpointSlice) []string {
	var addresses []string
	for _, endpoint := range slice.Endpoints {
		if endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready {
			addresses = append(addresses, endpoint.Addresses...)
		}
	}
	return addresses
}
