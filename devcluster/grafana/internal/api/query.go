package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"devcluster/grafana/internal/store"
)

// panelQuery is one of a panel's, as dashboards have them and /api/ds/query takes them.
type panelQuery struct {
	RefID          string `json:"refId"`
	Expr           string `json:"expr"`
	Instant, Range bool
	Format         string
	IntervalMs     float64
	MaxDataPoints  float64
	Datasource     struct{ UID string }
}

// query asks each query's data source. Grafana does so for every type with a backend;
// here it is Prometheus alone.
func (s *Server) query(w http.ResponseWriter, r *http.Request, _ store.User) {
	var form struct {
		From, To json.RawMessage
		Queries  []panelQuery
	}
	if !body(w, r, &form) {
		return
	}
	if len(form.Queries) == 0 {
		say(w, http.StatusBadRequest, "No queries found in query")
		return
	}
	now := time.Now()
	from, fromErr := moment(form.From, now)
	to, toErr := moment(form.To, now)
	if fromErr != nil || toErr != nil || !from.Before(to) {
		say(w, http.StatusBadRequest, "Query data error: invalid time range")
		return
	}
	results, status := object{}, http.StatusOK
	for _, q := range form.Queries {
		if q.RefID == "" {
			q.RefID = "A"
		}
		source, found := s.find(w, q.Datasource.UID, "")
		if !found {
			return
		}
		if source.Type != "prometheus" {
			sayID(w, http.StatusInternalServerError, "plugin.unavailable", "Plugin unavailable")
			return
		}
		frames, err := s.frames(r, source, q, from, to)
		if err != nil {
			status = http.StatusBadRequest
			results[q.RefID] = object{"error": err.Error(), "status": status, "frames": []any{}}
			continue
		}
		results[q.RefID] = object{"status": http.StatusOK, "frames": frames}
	}
	reply(w, status, object{"results": results})
}

// moment reads milliseconds, as a number or a text, or now-5m.
func moment(raw json.RawMessage, now time.Time) (time.Time, error) {
	text := strings.Trim(string(raw), `"`)
	if rest, relative := strings.CutPrefix(text, "now"); relative {
		if rest == "" {
			return now, nil
		}
		unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}[rest[len(rest)-1]]
		count, err := strconv.Atoi(rest[:len(rest)-1])
		if err != nil || unit == 0 {
			return now, fmt.Errorf("%q is no time", text)
		}
		return now.Add(time.Duration(count) * unit), nil
	}
	millis, err := strconv.ParseInt(text, 10, 64)
	return time.UnixMilli(millis), err
}

func (s *Server) frames(r *http.Request, source store.Source, q panelQuery, from, to time.Time) ([]object, error) {
	scrape := 15 * time.Second
	if text, _ := source.JSONData["timeInterval"].(string); text != "" {
		if parsed, err := time.ParseDuration(text); err == nil {
			scrape = parsed
		}
	}
	points := q.MaxDataPoints
	if points < 1 {
		points = 100
	}
	step := max(to.Sub(from)/time.Duration(points), time.Duration(q.IntervalMs)*time.Millisecond, scrape).Round(time.Second)
	rate := max(step+scrape, 4*scrape)
	seconds := func(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) + "s" }
	replace := strings.NewReplacer("${__interval}", seconds(step), "$__interval", seconds(step), "${__rate_interval}", seconds(rate),
		"$__rate_interval", seconds(rate), "${__range}", seconds(to.Sub(from)), "$__range", seconds(to.Sub(from)))
	expr := replace.Replace(q.Expr)
	frames := []object{}
	if q.Range || !q.Instant {
		given, err := s.ask(r.Context(), source, "api/v1/query_range", url.Values{
			"query": {expr}, "start": {unix(from)}, "end": {unix(to)}, "step": {strconv.Itoa(int(step.Seconds()))},
		})
		if err != nil {
			return nil, err
		}
		more, err := series(given, q.RefID)
		if frames = append(frames, more...); err != nil {
			return nil, err
		}
	}
	if q.Instant {
		given, err := s.ask(r.Context(), source, "api/v1/query", url.Values{"query": {expr}, "time": {unix(to)}})
		if err != nil {
			return nil, err
		}
		more, err := series(given, q.RefID)
		if frames = append(frames, more...); err != nil {
			return nil, err
		}
	}
	return frames, nil
}

func unix(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }

// series makes a frame of times and values of each series.
func series(given answered, ref string) ([]object, error) {
	var list []struct {
		Metric map[string]string
		Value  [2]any
		Values [][2]any
	}
	if given.Data.ResultType == "scalar" {
		var value [2]any
		if err := json.Unmarshal(given.Data.Result, &value); err != nil {
			return nil, err
		}
		return []object{frame(ref, map[string]string{}, [][2]any{value})}, nil
	}
	if err := json.Unmarshal(given.Data.Result, &list); err != nil {
		return nil, err
	}
	frames := []object{}
	for _, one := range list {
		if one.Values == nil {
			one.Values = [][2]any{one.Value}
		}
		frames = append(frames, frame(ref, one.Metric, one.Values))
	}
	return frames, nil
}

func frame(ref string, labels map[string]string, samples [][2]any) object {
	times, values := []int64{}, []any{}
	for _, sample := range samples {
		at, _ := sample[0].(float64)
		text, _ := sample[1].(string)
		times = append(times, int64(at*1000))
		if value, err := strconv.ParseFloat(text, 64); err == nil && value == value && value < 1e308 && value > -1e308 {
			values = append(values, value)
		} else {
			values = append(values, nil) // JSON knows neither NaN nor infinity
		}
	}
	name := labels["__name__"]
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if key != "__name__" {
			pairs = append(pairs, fmt.Sprintf("%s=%q", key, labels[key]))
		}
	}
	if len(pairs) > 0 {
		name += "{" + strings.Join(pairs, ", ") + "}"
	}
	return object{
		"schema": object{"refId": ref, "fields": []object{
			{"name": "Time", "type": "time", "typeInfo": object{"frame": "time.Time"}},
			{"name": "Value", "type": "number", "typeInfo": object{"frame": "float64"}, "labels": labels, "config": object{"displayNameFromDS": name}},
		}},
		"data": object{"values": []any{times, values}},
	}
}
