// Package image writes container images without a registry or a daemon: a root
// file system of one layer, as the docker-archive tar that containerd imports.
// The same input gives the same bytes.
package image

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
)

// File is one entry of the root file system: a folder, a link, a host's file or
// a text, whichever is set.
type File struct {
	Path string
	Mode int64
	UID  int
	GID  int
	Link string
	Host string
	Text string
	Dir  bool
}

// Config is what the image says about how to run it, like the upstream image's.
type Config struct {
	User       string              `json:"User,omitempty"`
	Env        []string            `json:"Env,omitempty"`
	Entrypoint []string            `json:"Entrypoint,omitempty"`
	Cmd        []string            `json:"Cmd,omitempty"`
	WorkingDir string              `json:"WorkingDir,omitempty"`
	Ports      map[string]struct{} `json:"ExposedPorts,omitempty"`
	Volumes    map[string]struct{} `json:"Volumes,omitempty"`
	Labels     map[string]string   `json:"Labels,omitempty"`
	StopSignal string              `json:"StopSignal,omitempty"`
}

const epoch = "1970-01-01T00:00:00Z"

// write makes the archive. The layer goes to a file of its own first, since its
// digest and size come before it.
func write(target, name string, files []File, config Config) error {
	layer, err := os.CreateTemp(filepath.Dir(target), "layer-*")
	if err != nil {
		return err
	}
	defer os.Remove(layer.Name())
	defer layer.Close()
	sum := sha256.New()
	if err := writeLayer(io.MultiWriter(layer, sum), files); err != nil {
		return err
	}
	digest := hex.EncodeToString(sum.Sum(nil))
	description, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"created":      epoch,
		"config":       config,
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest}},
		"history":      []map[string]any{{"created": epoch, "created_by": "devcluster"}},
	})
	if err != nil {
		return err
	}
	descriptionSum := sha256.Sum256(description)
	descriptionName := hex.EncodeToString(descriptionSum[:]) + ".json"
	layerName := digest + "/layer.tar"
	manifest, err := json.Marshal([]map[string]any{{
		"Config": descriptionName, "RepoTags": []string{name}, "Layers": []string{layerName},
	}})
	if err != nil {
		return err
	}
	output, err := os.Create(target)
	if err != nil {
		return err
	}
	defer output.Close()
	archive := tar.NewWriter(output)
	for _, part := range []struct {
		name string
		data []byte
	}{{"manifest.json", manifest}, {descriptionName, description}} {
		if err := archive.WriteHeader(&tar.Header{Name: part.name, Mode: 0o644, Size: int64(len(part.data))}); err != nil {
			return err
		}
		if _, err := archive.Write(part.data); err != nil {
			return err
		}
	}
	size, err := layer.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if _, err := layer.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := archive.WriteHeader(&tar.Header{Name: layerName, Mode: 0o644, Size: size}); err != nil {
		return err
	}
	if _, err := io.Copy(archive, layer); err != nil {
		return err
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return output.Close()
}

// writeLayer sorts the files, and adds the folders that they are in.
func writeLayer(w io.Writer, files []File) error {
	all := map[string]File{}
	for _, file := range files {
		for dir := path.Dir(file.Path); dir != "/"; dir = path.Dir(dir) {
			if _, known := all[dir]; !known {
				all[dir] = File{Path: dir, Dir: true, Mode: 0o755}
			}
		}
		all[file.Path] = file
	}
	paths := make([]string, 0, len(all))
	for path := range all {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	layer := tar.NewWriter(w)
	for _, path := range paths {
		if err := writeFile(layer, all[path]); err != nil {
			return err
		}
	}
	return layer.Close()
}

func writeFile(layer *tar.Writer, file File) error {
	header := &tar.Header{Name: strings.TrimPrefix(file.Path, "/"), Mode: file.Mode, Uid: file.UID, Gid: file.GID, Typeflag: tar.TypeReg}
	if header.Mode == 0 {
		header.Mode = 0o644
	}
	var content io.Reader = strings.NewReader(file.Text)
	header.Size = int64(len(file.Text))
	switch {
	case file.Dir:
		header.Typeflag, header.Name = tar.TypeDir, header.Name+"/"
	case file.Link != "":
		header.Typeflag, header.Linkname, header.Mode = tar.TypeSymlink, file.Link, 0o777
	case file.Host != "":
		host, err := os.Open(file.Host)
		if err != nil {
			return err
		}
		defer host.Close()
		info, err := host.Stat()
		if err != nil {
			return err
		}
		content, header.Size = host, info.Size()
	}
	if err := layer.WriteHeader(header); err != nil {
		return err
	}
	_, err := io.Copy(layer, content)
	return err
}
