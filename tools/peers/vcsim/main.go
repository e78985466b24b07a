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
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/vmware/govmomi/simulator"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address and port")
	vms := flag.Int("vms", 2, "virtual machines in the cluster")
	hosts := flag.Int("hosts", 3, "hosts in the cluster")
	datacenters := flag.Int("datacenters", 1, "datacenters, each with such a cluster")
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
	model.Datacenter = *datacenters
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
	server.Config.Handler = count(server.Config.Handler)
	fmt.Printf("https://%s%s\n", server.URL.Host, server.URL.Path)

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop // requests still waiting for updates end with the process
}

// count counts SOAP requests and tells their number at /requests, so that bulk reads can be proven.
func count(next http.Handler) http.Handler {
	var calls int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/requests" {
			fmt.Fprintln(w, atomic.LoadInt64(&calls))
			return
		}
		if r.Method == http.MethodPost {
			atomic.AddInt64(&calls, 1)
		}
		next.ServeHTTP(w, r)
	})
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "vcsim: %s\n", err)
	os.Exit(1)
}
