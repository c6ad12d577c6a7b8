package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"

	"devcluster/internal/cluster"
	"devcluster/internal/image"
	"devcluster/internal/place"
	"devcluster/internal/recipe"
	"devcluster/internal/talk"
)

// selftest runs devcluster's own tests: by default those that need a node, on
// the running one or on one of their own.
func selftest(ctx context.Context, f flags, args []string) error {
	source, err := place.Source()
	if err != nil {
		return err
	}
	test := append([]string{"go", "test", "-count=1", "-timeout=20m"}, args...)
	test = append(test, "./...")
	os.Setenv("DEVCLUSTER_SELFTEST_NAME", f.name())
	if err := os.Chdir(source); err != nil {
		return err
	}
	switch {
	case f.lifecycle:
		// Built here: the tests run where no network is.
		if _, err := recipe.One(recipe.Kubernetes); err != nil {
			return err
		}
		if _, err := image.Ensure(); err != nil {
			return err
		}
		os.Setenv("DEVCLUSTER_SELFTEST", "lifecycle")
		return inherit(append([]string{"sh", filepath.Join(source, "selftest", "isolated.sh")}, test...)...)
	case f.noNode:
		if _, err := recipe.One(recipe.Kubernetes); err != nil {
			return err
		}
		os.Setenv("DEVCLUSTER_SELFTEST", "no-node")
		return inherit(test...)
	default:
		if err := cluster.CanHostNode(); err != nil && os.Getenv("OBS_REQUIRE_CLUSTER") == "" {
			talk.Sayf("skipped: %s", err)
			return nil
		}
		os.Setenv("DEVCLUSTER_SELFTEST", "node")
		return with(ctx, f, test)
	}
}

// inherit runs a command with this one's terminal.
func inherit(args ...string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return exitOf(cmd.Run())
}
