package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"time"

	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// tellAddress writes into each ingress at which address it is served.
func tellAddress(
	ctx context.Context, client kubernetes.Interface, factory informers.SharedInformerFactory, address string,
) error {
	tell := func(changed any) {
		ingress, ok := changed.(*networking.Ingress)
		if !ok || !isOurs(ingress) || len(ingress.Status.LoadBalancer.Ingress) > 0 {
			return
		}
		told := ingress.DeepCopy()
		told.Status.LoadBalancer.Ingress = []networking.IngressLoadBalancerIngress{{IP: address}}
		// Whoever changed it meanwhile brings us here again.
		_, _ = client.NetworkingV1().Ingresses(told.Namespace).UpdateStatus(ctx, told, meta.UpdateOptions{})
	}
	_, err := factory.Networking().V1().Ingresses().Informer().AddEventHandler(
		cache.ResourceEventHandlerFuncs{AddFunc: tell, UpdateFunc: func(_, now any) { tell(now) }},
	)
	return err
}

// ownCertificate is for hosts that nobody gave one for, as ingress-nginx has one.
func ownCertificate() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "Kubernetes Ingress Controller Fake Certificate"},
		DNSNames:     []string{"ingress.local"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(365 * 24 * time.Hour),
	}
	made, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{made}, PrivateKey: key}, nil
}
