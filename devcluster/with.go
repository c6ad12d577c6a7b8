package main

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"devcluster/internal/cluster"
	"devcluster/internal/place"
	"devcluster/internal/talk"
)

// with runs a command on a cluster. A cluster that ran before stays; one that
// `with` started ends with the last `with` that uses it.
func with(ctx context.Context, f flags, args []string) error {
	if len(args) == 0 {
		return talk.Failf("devcluster with needs a command").Hinted("devcluster with -- make test")
	}
	release := cluster.Use(f.name())
	c, err := cluster.Up(ctx, cluster.Options{Name: f.name(), Node: !f.noNode, ByWith: true})
	if err != nil {
		release()
		return err
	}
	err = runOn(c, args)
	if release() && !cluster.StaysAfterWith(c.Name) {
		if downErr := cluster.Down(c.Name); downErr != nil {
			talk.Report(downErr)
		}
	}
	return err
}

// runOn gives the command what tests need to find the cluster. ^C reaches the
// command by way of the terminal; devcluster stays to clean up after it.
func runOn(c *cluster.Cluster, args []string) error {
	source, err := place.Source()
	if err != nil {
		return err
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(),
		"KUBECONFIG_TEST="+c.Kubeconfig(),
		"OBS_TEST_CONTEXT="+c.Context(),
		"OBS_DEVCLUSTER="+filepath.Join(source, "devcluster"),
	)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return talk.Failf("cannot run %s: %w", args[0], err)
	}
	go func() {
		for s := range signals {
			if s != os.Interrupt {
				_ = cmd.Process.Signal(s)
			}
		}
	}()
	return exitOf(cmd.Wait())
}
