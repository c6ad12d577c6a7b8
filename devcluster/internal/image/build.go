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
// extra ones that a person has put into the folder for them. An extra one takes the
// place of an image of the same name.
func Ensure() ([]Archive, error) {
	extra, replaced, err := extras(place.ExtraImages())
	if err != nil {
		return nil, err
	}
	images := slices.DeleteFunc(slices.Clone(All), func(image Image) bool {
		if file, found := replaced[image.Name]; found {
			talk.Sayf("image %s is that of %s", image.Name, file)
			return true
		}
		return false
	})
	var targets []recipe.Target
	for _, image := range images {
		targets = append(targets, image.Targets...)
	}
	built, err := recipe.Ensure(targets...)
	if err != nil {
		return nil, err
	}
	var archives []Archive
	for _, image := range images {
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
	return append(archives, extra...), nil
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
