package api

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"devcluster/grafana/internal/store"
)

func (s *Server) routesOfDashboards() {
	s.routes.HandleFunc("GET /api/folders", s.signedIn(s.folders))
	s.routes.HandleFunc("GET /api/folders/{uid}", s.signedIn(s.folder))
	s.routes.HandleFunc("GET /api/search", s.signedIn(s.search))
	s.routes.HandleFunc("GET /api/search/{$}", s.signedIn(s.search))
	s.routes.HandleFunc("GET /api/dashboards/uid/{uid}", s.signedIn(s.dashboard))
	s.routes.HandleFunc("DELETE /api/dashboards/uid/{uid}", s.may("dashboards:delete", true, s.deleteDashboard))
}

// slug is a title as it stands in an address.
func slug(title string) string {
	words := strings.FieldsFunc(strings.ToLower(title), func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
	return strings.Join(words, "-")
}

func (s *Server) url(d store.Dashboard) string {
	return s.settings.LinkPath + "/d/" + d.UID + "/" + url.PathEscape(slug(d.Title))
}

func (s *Server) folderURL(f store.Folder) string {
	return s.settings.LinkPath + "/dashboards/f/" + f.UID + "/" + url.PathEscape(slug(f.Title))
}

// folderOf gives the folder of a dashboard; the one at the root has no uid.
func (s *Server) folderOf(uid string) store.Folder {
	for _, folder := range s.store.Folders() {
		if folder.UID == uid {
			return folder
		}
	}
	return store.Folder{}
}

func (s *Server) folders(w http.ResponseWriter, r *http.Request, _ store.User) {
	list := []object{}
	for _, f := range page(s.store.Folders(), r.URL.Query()) {
		list = append(list, object{"id": f.ID, "uid": f.UID, "title": f.Title})
	}
	if r.URL.Query().Get("parentUid") != "" {
		list = []object{} // all are at the root
	}
	reply(w, http.StatusOK, list)
}

func (s *Server) folder(w http.ResponseWriter, r *http.Request, user store.User) {
	f := s.folderOf(r.PathValue("uid"))
	if f.UID == "" {
		say(w, http.StatusNotFound, "folder not found")
		return
	}
	editor := user.Role != "Viewer"
	reply(w, http.StatusOK, object{
		"id": f.ID, "uid": f.UID, "orgId": 1, "title": f.Title, "url": s.folderURL(f), "hasAcl": false,
		"canSave": editor, "canEdit": editor, "canAdmin": user.Role == "Admin", "canDelete": editor,
		"createdBy": "Anonymous", "created": f.Created, "updatedBy": "Anonymous", "updated": f.Updated, "version": 1,
	})
}

// search finds folders and dashboards, by title.
func (s *Server) search(w http.ResponseWriter, r *http.Request, _ store.User) {
	query := r.URL.Query()
	type hit struct {
		title string
		body  object
	}
	hits := []hit{}
	text := strings.ToLower(query.Get("query"))
	uids := append(split(query["dashboardUIDs"]), split(query["dashboardUID"])...)
	within := split(query["folderUIDs"])
	if query.Has("folderUIDs") && len(within) == 0 {
		within = []string{"general"} // the root
	}
	tags := query["tag"]
	if kind := query.Get("type"); kind != "dash-db" && len(tags) == 0 && len(uids) == 0 && len(within) == 0 {
		for _, f := range s.store.Folders() {
			if strings.Contains(strings.ToLower(f.Title), text) {
				hits = append(hits, hit{f.Title, object{
					"id": f.ID, "orgId": 1, "uid": f.UID, "title": f.Title, "uri": "db/" + slug(f.Title), "url": s.folderURL(f), "slug": "",
					"type": "dash-folder", "tags": []string{}, "isStarred": false, "sortMeta": 0, "isDeleted": false,
				}})
			}
		}
	}
	for _, d := range s.store.Dashboards() {
		folder := d.FolderUID
		if folder == "" {
			folder = "general"
		}
		has := func(tag string) bool { return slices.Contains(d.Tags, tag) }
		if kind := query.Get("type"); kind == "dash-folder" || query.Get("starred") == "true" ||
			!strings.Contains(strings.ToLower(d.Title), text) ||
			len(uids) > 0 && !slices.Contains(uids, d.UID) || len(within) > 0 && !slices.Contains(within, folder) ||
			slices.ContainsFunc(tags, func(tag string) bool { return !has(tag) }) {
			continue
		}
		body := object{
			"id": d.ID, "orgId": 1, "uid": d.UID, "title": d.Title, "uri": "db/" + slug(d.Title), "url": s.url(d), "slug": "",
			"type": "dash-db", "tags": append([]string{}, d.Tags...), "isStarred": false, "sortMeta": 0, "isDeleted": false,
		}
		if f := s.folderOf(d.FolderUID); f.UID != "" {
			maps.Copy(body, object{"folderId": f.ID, "folderUid": f.UID, "folderTitle": f.Title, "folderUrl": s.folderURL(f)})
		}
		hits = append(hits, hit{d.Title, body})
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return strings.Compare(strings.ToLower(a.title), strings.ToLower(b.title)) })
	list := []object{}
	for _, hit := range page(hits, query) {
		list = append(list, hit.body)
	}
	reply(w, http.StatusOK, list)
}

// split takes a list either as one parameter with commas, or as several.
func split(values []string) (list []string) {
	for _, value := range values {
		for _, part := range strings.Split(value, ",") {
			if part != "" {
				list = append(list, part)
			}
		}
	}
	return list
}

// page takes what limit and page ask for; without them, the first thousand.
func page[T any](list []T, query url.Values) []T {
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit <= 0 {
		limit = 1000
	}
	number, err := strconv.Atoi(query.Get("page"))
	if err != nil || number < 1 {
		number = 1
	}
	limit = min(limit, 5000)
	from := min((number-1)*limit, len(list))
	return list[from:min(from+limit, len(list))]
}

func (s *Server) dashboard(w http.ResponseWriter, r *http.Request, user store.User) {
	d, err := s.store.Dashboard(r.PathValue("uid"))
	if err != nil {
		say(w, http.StatusNotFound, "Dashboard not found")
		return
	}
	f := s.folderOf(d.FolderUID)
	folderURL := ""
	if f.UID == "" {
		f.Title = "General"
	} else {
		folderURL = s.folderURL(f)
	}
	editor := user.Role != "Viewer"
	model := maps.Clone(d.Body)
	model["id"], model["uid"], model["version"] = d.ID, d.UID, d.Version
	reply(w, http.StatusOK, object{
		"meta": object{
			"type": "db", "canSave": editor, "canEdit": editor, "canAdmin": user.Role == "Admin", "canStar": true, "canDelete": editor,
			"slug": slug(d.Title), "url": s.url(d), "expires": "0001-01-01T00:00:00Z", "created": d.Created, "updated": d.Updated,
			"updatedBy": "Anonymous", "createdBy": "Anonymous", "version": d.Version, "hasAcl": false, "isFolder": false,
			"folderId": f.ID, "folderUid": f.UID, "folderTitle": f.Title, "folderUrl": folderURL,
			"provisioned": true, "provisionedExternalId": d.File,
		},
		"dashboard": model,
	})
}

// deleteDashboard refuses: all come from files.
func (s *Server) deleteDashboard(w http.ResponseWriter, r *http.Request, _ store.User) {
	if _, err := s.store.Dashboard(r.PathValue("uid")); err != nil {
		say(w, http.StatusNotFound, "Dashboard not found")
		return
	}
	say(w, http.StatusBadRequest, "provisioned dashboard cannot be deleted")
}
