// Package storage gives claims real volumes: `local` PersistentVolumes on loop
// devices over sparse files, so that fsGroup, kubelet_volume_stats_* and
// expansion work as they do on a cloud's disks. hostPath volumes do none of it.
package storage

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

// Provisioner is the name that the StorageClasses carry.
const Provisioner = "devcluster/loop"

// Main runs the provisioner and the resizer until it is asked to stop.
func Main(args []string) int {
	flags := flag.NewFlagSet("storage", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "kubeconfig file")
	dir := flags.String("dir", "", "folder for the volumes' files")
	node := flags.String("node", "", "name of the node that the volumes are on")
	filesystem := flags.String("filesystem", "ext4", "file system of volumes whose class names none: ext4 or xfs")
	if flags.Parse(args) != nil {
		return 2
	}
	if err := run(*kubeconfig, *dir, *node, *filesystem); err != nil {
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		return 1
	}
	return 0
}

func run(kubeconfig, dir, node, filesystem string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()

	disks := &disks{dir: dir}
	factory := informers.NewSharedInformerFactory(client, 0)
	resizer, err := newResizer(client, factory, disks)
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	go resizer.run(ctx)

	controller.NewProvisionController(ctx, client, Provisioner,
		&provisioner{disks: disks, node: node, filesystem: filesystem},
		controller.LeaderElection(false),
		controller.MetricsPort(0),
	).Run(ctx)
	return nil
}
