// govmomi drives a vCenter with VMware's Go client and prints what it saw as one JSON object.
//
// The lab's vCenter is written on pyVmomi, so a client on pyVmomi would not notice an encoding that both
// get wrong in the same way. This one reads the wire in another language. It is built from Debian's
// golang-github-vmware-govmomi-dev (govmomi 0.24.2), see the Makefile.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/ioutil"
	"net/url"
	"os"
	"reflect"
	"time"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/task"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

type seen map[string]interface{}

func main() {
	address := flag.String("url", "", "SOAP endpoint")
	user := flag.String("user", "", "user name")
	password := flag.String("password", "", "password")
	ca := flag.String("ca", "", "PEM file of the authority")
	datastore := flag.String("datastore", "", "datastore to browse")
	name := flag.String("vm", "", "inventory path of the VM to move about")
	vmx := flag.String("vmx", "", "its configuration file, inside the datastore")
	network := flag.String("network", "", "portgroup to connect it to")
	flag.Parse()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := connect(ctx, *address, *user, *password, *ca)
	must(err)
	all := seen{"about": client.ServiceContent.About.FullName}
	must(read(ctx, client, all))
	finder := find.NewFinder(client.Client)
	datacenter, err := finder.DefaultDatacenter(ctx)
	must(err)
	finder.SetDatacenter(datacenter)
	must(browse(ctx, finder, *datastore, *vmx, all))
	must(move(ctx, client, finder, datacenter, *datastore, *name, *vmx, *network, all))
	must(client.Logout(ctx))
	must(json.NewEncoder(os.Stdout).Encode(all))
}

func connect(ctx context.Context, address, user, password, ca string) (*govmomi.Client, error) {
	where, err := soap.ParseURL(address)
	if err != nil {
		return nil, err
	}
	plain := soap.NewClient(where, false)
	if err := plain.SetRootCAs(ca); err != nil {
		return nil, err
	}
	wire, err := vim25.NewClient(ctx, plain)
	if err != nil {
		return nil, err
	}
	client := &govmomi.Client{Client: wire, SessionManager: session.NewManager(wire)}
	return client, client.Login(ctx, url.UserPassword(user, password))
}

// read fetches every property of every kind of object, so that every value is decoded.
func read(ctx context.Context, client *govmomi.Client, all seen) error {
	manager := view.NewManager(client.Client)
	list := func(kind string, into interface{}) error {
		container, err := manager.CreateContainerView(ctx, client.ServiceContent.RootFolder, []string{kind}, true)
		if err != nil {
			return err
		}
		defer container.Destroy(ctx)
		return container.Retrieve(ctx, []string{kind}, nil, into)
	}
	var vms []mo.VirtualMachine
	var hosts []mo.HostSystem
	var datastores []mo.Datastore
	var clusters []mo.ClusterComputeResource
	var portgroups []mo.DistributedVirtualPortgroup
	for kind, into := range map[string]interface{}{
		"VirtualMachine": &vms, "HostSystem": &hosts, "Datastore": &datastores,
		"ClusterComputeResource": &clusters, "DistributedVirtualPortgroup": &portgroups,
	} {
		if err := list(kind, into); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	machines := seen{}
	for _, vm := range vms {
		var devices []string
		for _, device := range vm.Config.Hardware.Device {
			devices = append(devices, reflect.TypeOf(device).Elem().Name())
		}
		machines[vm.Name] = seen{
			"uuid": vm.Config.Uuid, "power": vm.Runtime.PowerState, "ip": vm.Guest.IpAddress,
			"heartbeat": vm.GuestHeartbeatStatus, "devices": devices, "host": vm.Runtime.Host.Value,
			"networks": len(vm.Network), "snapshot": vm.Snapshot,
		}
	}
	exports := seen{}
	for _, each := range datastores {
		nas := each.Info.(*types.NasDatastoreInfo).Nas
		exports[each.Name] = seen{
			"server": nas.RemoteHost, "path": nas.RemotePath, "accessible": each.Summary.Accessible,
			"mounts": len(each.Host), "vms": len(each.Vm),
		}
	}
	drs := clusters[0].ConfigurationEx.(*types.ClusterConfigInfoEx).DrsConfig
	volume := hosts[0].Config.FileSystemVolume.MountInfo[0].Volume.(*types.HostNasVolume)
	all["vms"], all["datastores"], all["hosts"] = machines, exports, len(hosts)
	all["drs"], all["portgroup"], all["mount"] = drs.DefaultVmBehavior, portgroups[0].Key, volume.RemoteHost
	return nil
}

// browse searches a datastore and downloads a file of it.
func browse(ctx context.Context, finder *find.Finder, name, vmx string, all seen) error {
	datastore, err := finder.Datastore(ctx, name)
	if err != nil {
		return err
	}
	browser, err := datastore.Browser(ctx)
	if err != nil {
		return err
	}
	spec := types.HostDatastoreBrowserSearchSpec{
		MatchPattern: []string{"*.vmx"},
		Query:        []types.BaseFileQuery{&types.VmConfigFileQuery{}},
		Details:      &types.FileQueryFlags{FileType: true, FileSize: true},
	}
	job, err := browser.SearchDatastoreSubFolders(ctx, fmt.Sprintf("[%s]", name), &spec)
	if err != nil {
		return err
	}
	info, err := job.WaitForResult(ctx, nil)
	if err != nil {
		return err
	}
	var found []string
	results := info.Result.(types.ArrayOfHostDatastoreBrowserSearchResults)
	for _, folder := range results.HostDatastoreBrowserSearchResults {
		for _, file := range folder.File {
			found = append(found, folder.FolderPath+file.(*types.VmConfigFileInfo).Path)
		}
	}
	all["files"] = found
	body, _, err := datastore.Download(ctx, vmx, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	text, err := ioutil.ReadAll(body)
	all["vmx"] = string(text)
	return err
}

// move stops a VM, takes it out of the inventory, brings it back, connects and starts it.
func move(ctx context.Context, client *govmomi.Client, finder *find.Finder, datacenter *object.Datacenter,
	datastore, name, vmx, network string, all seen) error {
	vm, err := finder.VirtualMachine(ctx, name)
	if err != nil {
		return err
	}
	if _, err := finish(ctx)(vm.PowerOff(ctx)); err != nil {
		return err
	}
	_, err = finish(ctx)(vm.PowerOff(ctx))
	all["refused"] = faultOf(err)
	if err := vm.Unregister(ctx); err != nil {
		return err
	}
	_, err = vm.PowerState(ctx)
	all["gone"] = faultOf(err)
	pool, err := finder.DefaultResourcePool(ctx)
	if err != nil {
		return err
	}
	folders, err := datacenter.Folders(ctx)
	if err != nil {
		return err
	}
	path := fmt.Sprintf("[%s] %s", datastore, vmx)
	info, err := finish(ctx)(folders.VmFolder.RegisterVM(ctx, path, "moved", false, pool, nil))
	if err != nil {
		return err
	}
	_, err = finish(ctx)(folders.VmFolder.RegisterVM(ctx, path, "again", false, pool, nil))
	all["registered"] = faultOf(err)
	vm = object.NewVirtualMachine(client.Client, info.Result.(types.ManagedObjectReference))
	if err := reconnect(ctx, finder, vm, network); err != nil {
		return err
	}
	if _, err := finish(ctx)(vm.PowerOn(ctx)); err != nil {
		return err
	}
	all["ip"], err = vm.WaitForIP(ctx)
	return err
}

func reconnect(ctx context.Context, finder *find.Finder, vm *object.VirtualMachine, network string) error {
	target, err := finder.Network(ctx, network)
	if err != nil {
		return err
	}
	backing, err := target.EthernetCardBackingInfo(ctx)
	if err != nil {
		return err
	}
	devices, err := vm.Device(ctx)
	if err != nil {
		return err
	}
	card := devices.SelectByType((*types.VirtualEthernetCard)(nil))[0]
	card.GetVirtualDevice().Backing = backing
	return vm.EditDevice(ctx, card)
}

// finish waits for the task a call has returned.
func finish(ctx context.Context) func(*object.Task, error) (*types.TaskInfo, error) {
	return func(job *object.Task, err error) (*types.TaskInfo, error) {
		if err != nil {
			return nil, err
		}
		return job.WaitForResult(ctx, nil)
	}
}

// faultOf names the type of the fault an error carries, be it of a call or of a task.
func faultOf(err error) string {
	var failed task.Error
	switch {
	case err == nil:
		return ""
	case soap.IsSoapFault(err):
		return reflect.TypeOf(soap.ToSoapFault(err).VimFault()).Name()
	case errors.As(err, &failed):
		return reflect.Indirect(reflect.ValueOf(failed.Fault())).Type().Name()
	}
	return err.Error()
}

func must(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "govmomi: %s %s\n", err, faultOf(err))
		os.Exit(1)
	}
}
