package main

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
)

const (
	clusterDomain = ".svc.cluster.local."
	answerSeconds = 5
)

// names answers for SERVICE.NAMESPACE.svc.cluster.local; nothing else exists.
type names struct {
	services  corelisters.ServiceLister
	endpoints discoverylisters.EndpointSliceLister
}

func runDNS() error {
	given := parseSettings("dns")
	_, factory, err := given.connect()
	if err != nil {
		return err
	}
	known := &names{
		services:  factory.Core().V1().Services().Lister(),
		endpoints: factory.Discovery().V1().EndpointSlices().Lister(),
	}
	ctx := untilStopped()
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	address := net.JoinHostPort(given.address, "53")
	packets, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	streams, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go known.servePackets(packets)
	go known.serveStreams(ctx, streams)
	<-ctx.Done()
	return nil
}

func (known *names) servePackets(packets net.PacketConn) {
	buffer := make([]byte, 4096)
	for {
		size, from, err := packets.ReadFrom(buffer)
		if err != nil {
			return
		}
		if answer := known.answer(buffer[:size]); answer != nil {
			_, _ = packets.WriteTo(answer, from)
		}
	}
}

func (known *names) serveStreams(ctx context.Context, streams net.Listener) {
	for ctx.Err() == nil {
		stream, err := streams.Accept()
		if err != nil {
			return
		}
		go func() {
			defer stream.Close()
			for known.answerOne(stream) == nil {
			}
		}()
	}
}

// answerOne reads and answers one question, each with its length before it.
func (known *names) answerOne(stream net.Conn) error {
	var length uint16
	if err := binary.Read(stream, binary.BigEndian, &length); err != nil {
		return err
	}
	question := make([]byte, length)
	if _, err := io.ReadFull(stream, question); err != nil {
		return err
	}
	answer := known.answer(question)
	_, err := stream.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	return err
}

// answer is nil for what is no question.
func (known *names) answer(packed []byte) []byte {
	var message dnsmessage.Message
	if message.Unpack(packed) != nil || len(message.Questions) != 1 {
		return nil
	}
	question := message.Questions[0]
	addresses, exists := known.lookUp(strings.ToLower(question.Name.String()))
	reply := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: message.ID, Response: true, Authoritative: true,
			RecursionDesired: message.RecursionDesired, RecursionAvailable: true,
		},
		Questions: message.Questions,
	}
	if !exists {
		reply.RCode = dnsmessage.RCodeNameError
	}
	if question.Type == dnsmessage.TypeA {
		for _, address := range addresses {
			reply.Answers = append(reply.Answers, resource(question.Name, address))
		}
	}
	answer, err := reply.Pack()
	if err != nil {
		return nil
	}
	return answer
}

func resource(name dnsmessage.Name, address netip.Addr) dnsmessage.Resource {
	return dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{
			Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: answerSeconds,
		},
		Body: &dnsmessage.AResource{A: address.As4()},
	}
}

// lookUp gives the address of a service, or those of the pods of a headless one.
func (known *names) lookUp(name string) ([]netip.Addr, bool) {
	labels, inside := strings.CutSuffix(name, clusterDomain)
	service, namespace, whole := strings.Cut(labels, ".")
	if !inside || !whole {
		return nil, false
	}
	found, err := known.services.Services(namespace).Get(service)
	if err != nil {
		return nil, false
	}
	written := []string{found.Spec.ClusterIP}
	if found.Spec.ClusterIP == "None" {
		written = nil
		for _, slice := range slicesOf(known.endpoints, namespace, service) {
			written = append(written, readyAddresses(slice)...)
		}
	}
	var addresses []netip.Addr
	for _, text := range written {
		if address, err := netip.ParseAddr(text); err == nil && address.Is4() {
			addresses = append(addresses, address)
		}
	}
	return addresses, true
}
