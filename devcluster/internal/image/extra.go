package image

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// extras gives the archives in a folder, and which file has which image.
func extras(folder string) (archives []Archive, names map[string]string, err error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.tar"))
	names = map[string]string{}
	for _, file := range files {
		archives = append(archives, Archive{Name: filepath.Base(file), File: file})
		// What cannot be read fails when it is imported, with a hint.
		found, _ := namesIn(file)
		for _, name := range found {
			names[name] = file
		}
	}
	return archives, names, err
}

// namesIn reads which images an archive holds: the RepoTags of `docker save`, or the
// annotations of an OCI layout, in full as containerd has them.
func namesIn(file string) ([]string, error) {
	archive, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	var names []string
	for entries := tar.NewReader(archive); ; {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		switch strings.TrimPrefix(header.Name, "./") {
		case "manifest.json":
			var images []struct{ RepoTags []string }
			if err := json.NewDecoder(entries).Decode(&images); err != nil {
				return nil, fmt.Errorf("%s: manifest.json: %w", file, err)
			}
			for _, image := range images {
				for _, tag := range image.RepoTags {
					names = append(names, full(tag))
				}
			}
		case "index.json":
			var index struct {
				Manifests []struct{ Annotations map[string]string }
			}
			if err := json.NewDecoder(entries).Decode(&index); err != nil {
				return nil, fmt.Errorf("%s: index.json: %w", file, err)
			}
			for _, manifest := range index.Manifests {
				if name := manifest.Annotations["io.containerd.image.name"]; name != "" {
					names = append(names, full(name))
				}
			}
		}
	}
}

// full adds what a short name leaves out: docker.io, and library/ in it.
func full(name string) string {
	first, _, several := strings.Cut(name, "/")
	switch {
	case !several:
		return "docker.io/library/" + name
	case first != "localhost" && !strings.ContainsAny(first, ".:"):
		return "docker.io/" + name
	}
	return name
}
