// Devcluster runs a real Kubernetes for tests and the demo, built from Go
// modules, without a container registry. README.md says what it is and where it
// keeps things; `internal/` is, in the order of the data: place (files), recipe
// (builds), image (container images), pki, process and cluster.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"devcluster/internal/cluster"
	"devcluster/internal/talk"
)

const usage = `Usage: devcluster COMMAND

Runs a real Kubernetes on this machine. A cluster without a node has an API and
controllers but runs no pods: it needs no root, starts in seconds, and any number
of them fit side by side. A cluster with a node runs pods; there is one per machine.

Commands:
  up [--no-node] [--name N]                 start a cluster, or find it running; prints its kubeconfig file
  down [--name N | --no-node | --all]       end it, leaving nothing behind
  status                                    list the clusters
  with [--no-node] [--name N] -- CMD...     run CMD on a cluster; end the cluster if this started it
  kubeconfig [--name N]                     print the path of the kubeconfig file
  kubectl [--name N] [--] ARGS...           run kubectl on a cluster
  logs [--name N] [COMPONENT]               print a component's log; without one, list them
  python ARGS...                            run the Python of examples/fastapi, with its packages
  images                                    list the images on the node
  load IMAGE.tar                            import an image into the node
  tool {alertmanager,amtool,helm,kubectl,pint,promtool}
                                            build a tool if needed; prints its path
  build                                     build everything now
  selftest [--no-node | --lifecycle] [-- GO TEST FLAGS...]
                                            test devcluster itself

The name is "dev", or "api" with --no-node, unless given.
Environment: KUBECTL_OBS_DEV_CACHE (builds), OBS_DEV_IMAGES (more images, *.tar).
`

// command is one verb; args are what follows its flags.
type command struct {
	run   func(ctx context.Context, flags flags, args []string) error
	flags []string
}

var commands = map[string]command{
	"up":         {up, []string{"--no-node", "--name"}},
	"down":       {down, []string{"--no-node", "--name", "--all"}},
	"status":     {status, nil},
	"with":       {with, []string{"--no-node", "--name"}},
	"kubeconfig": {kubeconfig, []string{"--no-node", "--name"}},
	"kubectl":    {kubectl, []string{"--no-node", "--name"}},
	"logs":       {logs, []string{"--no-node", "--name"}},
	"python":     {python, nil},
	"images":     {images, []string{"--name"}},
	"load":       {load, []string{"--name"}},
	"tool":       {tool, nil},
	"build":      {build, nil},
	"selftest":   {selftest, []string{"--no-node", "--lifecycle", "--name"}},
}

// flags that any of the commands has.
type flags struct {
	noNode, all, lifecycle bool
	named                  string
}

// name of the cluster that is meant.
func (f flags) name() string {
	switch {
	case f.named != "":
		return f.named
	case f.noNode:
		return cluster.DefaultNoNode
	default:
		return cluster.DefaultNode
	}
}

// exitCode is the error of `with` and `kubectl`, whose child has spoken already.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "--help"}, args[0]) {
		fmt.Print(usage)
		return 0
	}
	command, known := commands[args[0]]
	if !known {
		talk.Report(talk.Failf("there is no command %q", args[0]).Hinted("devcluster help lists the commands"))
		return 2
	}
	flags, rest, err := parse(args[0], command.flags, args[1:])
	if err != nil {
		talk.Report(err)
		return 2
	}
	if runtime.GOOS != "linux" {
		talk.Report(talk.Failf("devcluster runs on linux, not on %s", runtime.GOOS).
			Hinted("use any cluster of yours instead: KUBECONFIG_TEST=<file> OBS_TEST_CONTEXT=<context>"))
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err = command.run(ctx, flags, rest)
	var code exitCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case ctx.Err() != nil:
		talk.Report(err)
		return 130
	default:
		talk.Report(err)
		return 1
	}
}

// parse takes a command's own flags from the front and gives the rest.
func parse(verb string, known, args []string) (f flags, rest []string, err error) {
	for len(args) > 0 {
		name, value, inline := strings.Cut(args[0], "=")
		if args[0] == "--" {
			return f, args[1:], nil
		}
		if !strings.HasPrefix(name, "-") {
			return f, args, nil
		}
		if name == "-h" || name == "--help" {
			return f, nil, talk.Failf("help is not given per command").Hinted("devcluster help")
		}
		if !slices.Contains(known, name) {
			if verb == "kubectl" || verb == "python" {
				return f, args, nil // one of the program's own
			}
			return f, nil, talk.Failf("devcluster %s has no flag %s", verb, name).Hinted("devcluster help lists commands and flags")
		}
		args = args[1:]
		switch name {
		case "--no-node":
			f.noNode = true
		case "--all":
			f.all = true
		case "--lifecycle":
			f.lifecycle = true
		case "--name":
			if !inline {
				if len(args) == 0 {
					return f, nil, talk.Failf("--name needs a name")
				}
				value, args = args[0], args[1:]
			}
			f.named = value
			if err := cluster.CheckName(value); err != nil {
				return f, nil, err
			}
		}
	}
	return f, nil, nil
}
