package image

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"devcluster/internal/place"
	"devcluster/internal/recipe"
	"devcluster/internal/talk"
)

// layout is raised when the archives themselves are written differently.
const layout = 1

// Archive is an image in a file.
type Archive struct{ Name, File string }

// Ensure builds what is missing and gives the archives of all images, and of the
// extra ones that a person has put into the folder for them.
func Ensure() ([]Archive, error) {
	var targets []recipe.Target
	for _, image := range All {
		targets = append(targets, image.Targets...)
	}
	built, err := recipe.Ensure(targets...)
	if err != nil {
		return nil, err
	}
	var archives []Archive
	for _, image := range All {
		made := slices.Clone(built[:len(image.Targets)])
		built = built[len(image.Targets):]
		for _, part := range image.Parts {
			b, err := part.Ensure()
			if err != nil {
				return nil, err
			}
			made = append(made, b)
		}
		archive, err := image.ensure(made)
		if err != nil {
			return nil, err
		}
		archives = append(archives, archive)
	}
	extra, err := filepath.Glob(filepath.Join(place.ExtraImages(), "*.tar"))
	for _, file := range extra {
		archives = append(archives, Archive{Name: filepath.Base(file), File: file})
	}
	return archives, err
}

var unsafe = regexp.MustCompile(`[^A-Za-z0-9.]+`)

func (i Image) ensure(built []recipe.Built) (Archive, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%d %d %s %+v", layout, i.Version, i.Name, i.Config)
	for _, b := range built {
		fmt.Fprint(sum, " ", b.Hash)
	}
	dir := filepath.Join(place.Cache(), "tars", unsafe.ReplaceAllString(i.Name, "_")+"-"+hex.EncodeToString(sum.Sum(nil))[:12])
	archive := Archive{Name: i.Name, File: filepath.Join(dir, "image.tar")}
	if _, err := os.Stat(archive.File); err == nil {
		_ = os.Chtimes(dir, time.Now(), time.Now()) // used, see recipe.Prune
		return archive, nil
	}
	release, err := place.Lock(filepath.Join(place.Cache(), "locks", "images"), nil)
	if err != nil {
		return archive, err
	}
	defer release()
	if _, err := os.Stat(archive.File); err == nil {
		return archive, nil
	}
	files, err := i.Files(built)
	if err != nil {
		return archive, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return archive, err
	}
	if err := write(archive.File+".partial", i.Name, files, i.Config); err != nil {
		return archive, err
	}
	talk.Sayf("packed image %s", i.Name)
	return archive, os.Rename(archive.File+".partial", archive.File)
}
