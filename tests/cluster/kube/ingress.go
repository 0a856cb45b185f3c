package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	networking "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	networkinglisters "k8s.io/client-go/listers/networking/v1"
)

const (
	ingressClass = "nginx"
	sslRedirect  = "nginx.ingress.kubernetes.io/ssl-redirect"
)

// entrance does what a centre's ingress controller does, of which the tests need: hosts, paths,
// certificates, the visitor's address in X-Forwarded-For.
type entrance struct {
	ingresses networkinglisters.IngressLister
	services  corelisters.ServiceLister
	secrets   corelisters.SecretLister
	endpoints discoverylisters.EndpointSliceLister
	proxy     *httputil.ReverseProxy
}

type targetKey struct{}

func runIngress() error {
	given := parseSettings("ingress")
	client, factory, err := given.connect()
	if err != nil {
		return err
	}
	at := &entrance{
		ingresses: factory.Networking().V1().Ingresses().Lister(),
		services:  factory.Core().V1().Services().Lister(),
		secrets:   factory.Core().V1().Secrets().Lister(),
		endpoints: factory.Discovery().V1().EndpointSlices().Lister(),
		proxy:     &httputil.ReverseProxy{Rewrite: rewrite, ErrorHandler: unreachable},
	}
	ctx := untilStopped()
	if err := tellAddress(ctx, client, factory, given.address); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	return at.serve(ctx, given.address)
}

func (at *entrance) serve(ctx context.Context, address string) error {
	fallback, err := ownCertificate()
	if err != nil {
		return err
	}
	secure := &http.Server{
		Addr:    net.JoinHostPort(address, "443"),
		Handler: at,
		TLSConfig: &tls.Config{
			GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
				if found := at.certificate(hello.ServerName); found != nil {
					return found, nil
				}
				return fallback, nil
			},
		},
	}
	plain := &http.Server{Addr: net.JoinHostPort(address, "80"), Handler: at}
	failed := make(chan error, 2)
	go func() { failed <- plain.ListenAndServe() }()
	go func() { failed <- secure.ListenAndServeTLS("", "") }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

func (at *entrance) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	host := strings.ToLower(request.Host)
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ingress, backend := at.find(host, request.URL.Path)
	if backend == nil {
		http.Error(answer, "default backend - 404", http.StatusNotFound)
		return
	}
	if request.TLS == nil && redirects(ingress, host) {
		http.Redirect(answer, request, "https://"+host+request.URL.RequestURI(), http.StatusPermanentRedirect)
		return
	}
	target := at.pod(ingress.Namespace, backend)
	if target == "" {
		http.Error(answer, "503 Service Temporarily Unavailable", http.StatusServiceUnavailable)
		return
	}
	ctx := context.WithValue(request.Context(), targetKey{}, target)
	at.proxy.ServeHTTP(answer, request.WithContext(ctx))
}

// find is the backend with the longest path that fits, and the ingress it is from.
func (at *entrance) find(host, path string) (*networking.Ingress, *networking.IngressServiceBackend) {
	var ingress *networking.Ingress
	var backend *networking.IngressServiceBackend
	longest := -1
	for _, each := range at.ours() {
		for _, rule := range each.Spec.Rules {
			if rule.HTTP == nil || (rule.Host != "" && !hostFits(rule.Host, host)) {
				continue
			}
			for _, entry := range rule.HTTP.Paths {
				if entry.Backend.Service != nil && pathFits(entry, path) && len(entry.Path) > longest {
					ingress, backend, longest = each, entry.Backend.Service, len(entry.Path)
				}
			}
		}
	}
	return ingress, backend
}

func (at *entrance) ours() []*networking.Ingress {
	all, _ := at.ingresses.List(labels.Everything()) // a cache does not fail
	var ours []*networking.Ingress
	for _, each := range all {
		if isOurs(each) {
			ours = append(ours, each)
		}
	}
	return ours
}

func isOurs(ingress *networking.Ingress) bool {
	if class := ingress.Spec.IngressClassName; class != nil {
		return *class == ingressClass
	}
	return ingress.Annotations["kubernetes.io/ingress.class"] == ingressClass
}

func hostFits(pattern, host string) bool {
	if rest, wild := strings.CutPrefix(pattern, "*."); wild {
		_, parent, _ := strings.Cut(host, ".")
		return parent == rest
	}
	return pattern == host
}

func pathFits(entry networking.HTTPIngressPath, path string) bool {
	if entry.PathType != nil && *entry.PathType == networking.PathTypeExact {
		return path == entry.Path
	}
	prefix := strings.TrimSuffix(entry.Path, "/")
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

func redirects(ingress *networking.Ingress, host string) bool {
	return ingress.Annotations[sslRedirect] != "false" && secretFor(ingress, host) != ""
}

func secretFor(ingress *networking.Ingress, host string) string {
	for _, entry := range ingress.Spec.TLS {
		for _, each := range entry.Hosts {
			if hostFits(each, host) {
				return entry.SecretName
			}
		}
	}
	return ""
}

func (at *entrance) certificate(host string) *tls.Certificate {
	for _, ingress := range at.ours() {
		secret, err := at.secrets.Secrets(ingress.Namespace).Get(secretFor(ingress, host))
		if err != nil {
			continue
		}
		if pair, err := tls.X509KeyPair(secret.Data["tls.crt"], secret.Data["tls.key"]); err == nil {
			return &pair
		}
	}
	return nil
}

// pod is ADDRESS:PORT of one of the ready pods behind a backend, or nothing.
func (at *entrance) pod(namespace string, backend *networking.IngressServiceBackend) string {
	service, err := at.services.Services(namespace).Get(backend.Name)
	if err != nil {
		return ""
	}
	var targets []string
	for _, port := range service.Spec.Ports {
		if port.Port != backend.Port.Number && (port.Name == "" || port.Name != backend.Port.Name) {
			continue
		}
		for _, slice := range slicesOf(at.endpoints, namespace, service.Name) {
			for _, open := range slice.Ports {
				if open.Name == nil || open.Port == nil || *open.Name != port.Name {
					continue
				}
				for _, address := range readyAddresses(slice) {
					targets = append(targets, net.JoinHostPort(address, fmt.Sprint(*open.Port)))
				}
			}
		}
	}
	if len(targets) == 0 {
		return ""
	}
	return targets[rand.IntN(len(targets))]
}

func rewrite(request *httputil.ProxyRequest) {
	target, _ := request.In.Context().Value(targetKey{}).(string)
	request.SetURL(&url.URL{Scheme: "http", Host: target})
	request.Out.Host = request.In.Host
	// As ingress-nginx by default: what the visitor says of itself is dropped.
	request.SetXForwarded()
	visitor, _, _ := net.SplitHostPort(request.In.RemoteAddr)
	request.Out.Header.Set("X-Real-IP", visitor)
}

func unreachable(answer http.ResponseWriter, _ *http.Request, err error) {
	http.Error(answer, "502 Bad Gateway", http.StatusBadGateway)
	fmt.Println(time.Now().Format(time.RFC3339), err)
}
