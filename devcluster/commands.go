package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"devcluster/internal/cluster"
	"devcluster/internal/image"
	"devcluster/internal/recipe"
	"devcluster/internal/talk"
)

func up(ctx context.Context, f flags, args []string) error {
	if err := none(args); err != nil {
		return err
	}
	c, err := cluster.Up(ctx, cluster.Options{Name: f.name(), Node: !f.noNode})
	if err != nil {
		return err
	}
	fmt.Println(c.Kubeconfig())
	return nil
}

func down(_ context.Context, f flags, args []string) error {
	if err := none(args); err != nil {
		return err
	}
	if !f.all {
		return cluster.Down(f.name())
	}
	clusters, err := cluster.All()
	if err == nil && len(clusters) == 0 {
		talk.Sayf("no cluster is up")
	}
	for _, c := range clusters {
		err = errors.Join(err, cluster.Down(c.Name))
	}
	return err
}

func status(_ context.Context, _ flags, args []string) error {
	if err := none(args); err != nil {
		return err
	}
	clusters, err := cluster.All()
	if err != nil {
		return err
	}
	if len(clusters) == 0 {
		talk.Sayf("no cluster is up")
	} else {
		table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "NAME\tNODE\tSTATE\tAGE\tSERVER\tKUBECONFIG")
		for _, c := range clusters {
			node, state := "no", c.State()
			if c.Node {
				node = "yes"
			}
			if state == "damaged" {
				state += " (" + strings.Join(c.Dead(), ", ") + " gone)"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", c.Name, node, state,
				talk.Minutes(time.Since(c.Created)), c.Server, c.Kubeconfig())
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	if holder := cluster.ForeignHolder(); holder != "" {
		talk.Sayf("the machine's one node belongs to %s", holder)
	}
	return nil
}

func kubeconfig(_ context.Context, f flags, args []string) error {
	if err := none(args); err != nil {
		return err
	}
	c, err := cluster.Running(f.name())
	if err != nil {
		return err
	}
	fmt.Println(c.Kubeconfig())
	return nil
}

// kubectl becomes kubectl: its terminal, signals and exit code are its own.
func kubectl(_ context.Context, f flags, args []string) error {
	c, err := cluster.Running(f.name())
	if err != nil {
		return err
	}
	kube, err := recipe.One(recipe.Kubernetes)
	if err != nil {
		return err
	}
	return syscall.Exec(kube.Program("kubectl"), append([]string{"kubectl"}, args...), append(os.Environ(), c.KubectlEnv()...))
}

// python becomes the interpreter of the example's image, which runs on this machine too.
func python(_ context.Context, _ flags, args []string) error {
	built, err := image.ShopPython()
	if err != nil {
		return err
	}
	return syscall.Exec(built.Program("python"), append([]string{"python"}, args...), os.Environ())
}

func logs(_ context.Context, f flags, args []string) error {
	c, err := cluster.Load(f.name())
	if err != nil {
		return err
	}
	if c == nil {
		return talk.Failf("cluster %s is not up", f.name()).Hinted("devcluster status lists the clusters")
	}
	if len(args) == 0 {
		files, _ := filepath.Glob(c.Log("*"))
		for _, file := range files {
			fmt.Println(strings.TrimSuffix(filepath.Base(file), ".log"))
		}
		return nil
	}
	file, err := os.Open(c.Log(filepath.Base(args[0])))
	if err != nil {
		return talk.Failf("cluster %s has no log of %q", c.Name, args[0]).
			Hinted("devcluster logs --name %s lists the components; for pods: devcluster kubectl logs", c.Name)
	}
	defer file.Close()
	_, err = io.Copy(os.Stdout, file)
	return err
}

func tool(_ context.Context, _ flags, args []string) error {
	if len(args) != 1 {
		return talk.Failf("devcluster tool takes one name").Hinted("one of %s", strings.Join(recipe.Tools(), ", "))
	}
	target, known := recipe.Tool(args[0])
	if !known {
		return talk.Failf("there is no tool %q", args[0]).Hinted("one of %s", strings.Join(recipe.Tools(), ", "))
	}
	built, err := recipe.One(target)
	if err != nil {
		return err
	}
	fmt.Println(built.Program(args[0]))
	return nil
}

func build(_ context.Context, _ flags, args []string) error {
	if err := none(args); err != nil {
		return err
	}
	started := time.Now()
	if _, err := recipe.Ensure(recipe.All...); err != nil {
		return err
	}
	if err := cluster.BuildImages(); err != nil {
		return err
	}
	recipe.Prune()
	talk.Sayf("everything is built (%s)", talk.Minutes(time.Since(started)))
	return nil
}

func none(args []string) error {
	if len(args) > 0 {
		return talk.Failf("unexpected argument %q", args[0]).Hinted("devcluster help")
	}
	return nil
}

func exitOf(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return exitCode(128 + int(status.Signal()))
		}
		return exitCode(exit.ExitCode())
	}
	return err
}
