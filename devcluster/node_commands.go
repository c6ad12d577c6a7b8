package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"devcluster/internal/cluster"
	"devcluster/internal/talk"
)

// images prints the names that pods can use.
func images(_ context.Context, f flags, args []string) error {
	if err := none(args); err != nil {
		return err
	}
	c, err := withNode(f.name())
	if err != nil {
		return err
	}
	names, err := imageNames(c)
	if err != nil {
		return err
	}
	for _, name := range names {
		fmt.Println(name)
	}
	return nil
}

// load imports archives and prints the names that are new.
func load(_ context.Context, f flags, args []string) error {
	if len(args) == 0 {
		return talk.Failf("devcluster load takes an image's tar").Hinted("docker save IMAGE -o image.tar makes one")
	}
	c, err := withNode(f.name())
	if err != nil {
		return err
	}
	for _, arg := range args {
		file, err := filepath.Abs(arg)
		if err == nil {
			_, err = os.Stat(file)
		}
		if err != nil {
			return talk.Failf("cannot read the image: %w", err)
		}
		out, err := c.Ctr("images", "import", file)
		if err != nil {
			return err
		}
		// ctr says "unpacking NAME (DIGEST)...done" for each image.
		for _, line := range strings.Split(out, "\n") {
			if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "unpacking" {
				fmt.Println(fields[1])
			}
		}
	}
	return nil
}

func withNode(name string) (*cluster.Cluster, error) {
	c, err := cluster.Running(name)
	if err == nil && !c.Node {
		err = talk.Failf("cluster %s has no node, and so no images", name).Hinted("devcluster up starts one with a node")
	}
	return c, err
}

func imageNames(c *cluster.Cluster) ([]string, error) {
	out, err := c.Ctr("images", "list", "--quiet")
	var names []string
	for _, name := range strings.Fields(out) {
		// Each image is also listed by its digest.
		if !strings.HasPrefix(name, "sha256:") && !strings.HasPrefix(name, "import-") {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names, err
}
