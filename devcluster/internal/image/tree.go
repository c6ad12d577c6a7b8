package image

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"devcluster/internal/debian"
	"devcluster/internal/recipe"
)

// needless is what nobody asks for in an image: texts for people, and encodings
// other than UTF-8.
var needless = []string{
	"/usr/share/doc", "/usr/share/info", "/usr/share/locale", "/usr/share/man", "/usr/share/lintian", "/usr/share/bash-completion",
	"/usr/share/doc-base", "/usr/share/perl5", "/usr/share/bug", "/usr/share/applications", "/usr/share/pixmaps",
	"/usr/lib/*/gconv", "/etc/init.d", "/etc/cron.d", "/etc/logrotate.d", "/etc/default", "/usr/lib/systemd",
}

// unpacked gives the files of a tree of Debian's packages, owned by root, without
// the folders that match a pattern.
func unpacked(b recipe.Built, without ...string) ([]File, error) {
	return folder(debian.Root(b), "/", append(without, needless...)...)
}

// folder gives the files below a folder of this machine, as if it were at that
// place of the image.
func folder(host, place string, without ...string) ([]File, error) {
	var files []File
	err := filepath.WalkDir(host, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == host {
			return err
		}
		relative, err := filepath.Rel(host, name)
		if err != nil {
			return err
		}
		file := File{Path: path.Join(place, relative)}
		if slices.ContainsFunc(without, func(pattern string) bool { match, _ := path.Match(pattern, file.Path); return match }) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		file.Mode = int64(info.Mode().Perm())
		switch {
		case entry.IsDir():
			file.Dir = true
		case entry.Type()&fs.ModeSymlink != 0:
			if file.Link, err = os.Readlink(name); err != nil {
				return err
			}
		case entry.Type().IsRegular():
			file.Host = name
		default:
			return nil
		}
		files = append(files, file)
		return nil
	})
	return files, err
}
