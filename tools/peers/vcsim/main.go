// vcsim serves govmomi's vCenter simulator on an address of choice and prints its URL on one line.
//
// It is built from Debian's golang-github-vmware-govmomi-dev (govmomi 0.24.2), see the Makefile. The
// datastore is a directory of the simulator's own; user and password are given on the command line,
// any other login is refused.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"io/ioutil"
	"log"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/vmware/govmomi/simulator"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address and port")
	vms := flag.Int("vms", 2, "virtual machines in the cluster")
	hosts := flag.Int("hosts", 3, "hosts in the cluster")
	user := flag.String("user", "drctl", "user name")
	password := flag.String("password", "vcsim", "password")
	certificate := flag.String("certificate", "", "PEM file with the server's certificate")
	key := flag.String("key", "", "PEM file with its key")
	idle := flag.Duration("idle", 30*time.Minute, "time after which an idle session ends")
	flag.Parse()
	log.SetOutput(ioutil.Discard)

	simulator.SessionIdleTimeout = *idle
	model := simulator.VPX()
	defer model.Remove()
	model.Host = 0
	model.ClusterHost = *hosts
	model.Machine = *vms
	if err := model.Create(); err != nil {
		fail(err)
	}
	model.Service.Listen = &url.URL{Host: *listen, User: url.UserPassword(*user, *password)}
	pair, err := tls.LoadX509KeyPair(*certificate, *key)
	if err != nil {
		fail(err)
	}
	model.Service.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server := model.Service.NewServer()
	defer server.Close()
	fmt.Printf("https://%s%s\n", server.URL.Host, server.URL.Path)

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "vcsim: %s\n", err)
	os.Exit(1)
}
