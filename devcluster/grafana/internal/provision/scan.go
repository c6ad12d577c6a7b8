package provision

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// dashboardFile is what a file had at the last look.
type dashboardFile struct {
	path, sum   string
	uid, title  string
	description string
	tags        []string
	body        map[string]any // until it is saved
	err         error
	saved       bool
	folder      string // uid of the one that it was saved in
}

var plainUID = regexp.MustCompile(`^[A-Za-z0-9_-]*$`)

// look reads the files of a provider, and says whether one is another than before.
func (p *dashboardProvider) look() (changed bool) {
	found := map[string]dashboardFile{}
	err := walk(p.Options.Path, "", func(name, path string) error {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		digest := sha256.Sum256(text)
		sum := hex.EncodeToString(digest[:])
		if before, known := p.files[name]; known && before.sum == sum {
			found[name] = before
			return nil
		}
		changed = true
		file := read(text)
		file.path, file.sum = path, sum
		if file.err != nil {
			p.log.Error("failed to load dashboard from ", "file", path, "error", file.err)
		}
		found[name] = file
		return nil
	})
	if err != nil {
		p.log.Error("failed to search for dashboards", "error", err)
		return false // what was there stays
	}
	for name := range p.files {
		if _, still := found[name]; !still {
			changed = true
		}
	}
	p.files = found
	return changed
}

// walk calls back for every JSON file below a folder. Links are followed, and names
// with a dot in front left out: a mounted ConfigMap keeps its older states in these.
func walk(folder, below string, visit func(name, path string) error) error {
	entries, err := os.ReadDir(filepath.Join(folder, below))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		name := filepath.Join(below, entry.Name())
		path := filepath.Join(folder, name)
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // replaced at this moment
		case err != nil:
			return err
		case info.IsDir():
			err = walk(folder, name, visit)
		case strings.EqualFold(filepath.Ext(name), ".json"):
			err = visit(name, path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func read(text []byte) (file dashboardFile) {
	if file.err = json.Unmarshal(text, &file.body); file.err != nil {
		return file
	}
	file.title, _ = file.body["title"].(string)
	file.uid, _ = file.body["uid"].(string)
	file.description, _ = file.body["description"].(string)
	tags, _ := file.body["tags"].([]any)
	for _, tag := range tags {
		if text, ok := tag.(string); ok {
			file.tags = append(file.tags, text)
		}
	}
	switch {
	case file.title == "":
		file.err = errors.New("Dashboard title cannot be empty")
	case len(file.uid) > 40:
		file.err = errors.New("uid too long, max 40 characters")
	case !plainUID.MatchString(file.uid):
		file.err = errors.New("uid contains illegal characters")
	}
	return file
}

// folderOf is the title of the folder that a file's dashboard is in; "" is the root.
func (p *dashboardProvider) folderOf(name string) string {
	if !bool(p.Options.FoldersFromFilesStructure) {
		return p.Folder
	}
	if folder := filepath.Dir(name); folder != "." {
		return filepath.Base(folder)
	}
	return ""
}

// findDuplicates takes the right to write from the providers in which a uid, or a title
// within a folder, is there twice: Grafana would replace one dashboard by the other,
// again and again.
func (d *Dashboards) findDuplicates() {
	uids, titles := map[string][]*dashboardProvider{}, map[[2]string][]*dashboardProvider{}
	for _, provider := range d.providers {
		provider.restricted = false
		for name, file := range provider.files {
			if file.err != nil {
				continue
			}
			if file.uid != "" {
				uids[file.uid] = append(uids[file.uid], provider)
			}
			at := [2]string{provider.folderOf(name), file.title}
			titles[at] = append(titles[at], provider)
		}
	}
	restrict := func(providers []*dashboardProvider) (names []string) {
		for _, provider := range providers {
			provider.restricted = true
			names = append(names, provider.Name)
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	for uid, providers := range uids {
		if len(providers) > 1 {
			d.log.Warn("the same UID is used more than once", "orgId", org, "uid", uid, "times", len(providers), "providers", restrict(providers))
		}
	}
	for at, providers := range titles {
		if len(providers) > 1 {
			d.log.Warn("dashboard title is not unique in folder", "orgId", org, "folder", at[0], "title", at[1], "times", len(providers), "providers", restrict(providers))
		}
	}
	for _, provider := range d.providers {
		if provider.restricted {
			d.log.Warn("dashboards provisioning provider has no database write permissions because of duplicates", "provider", provider.Name, "orgId", org)
		}
	}
}
