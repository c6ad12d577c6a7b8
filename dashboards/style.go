package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
)

// Colours by meaning. Series without one get colours of the palette, one after the other: by name they
// would be the same in every panel, but two of a panel would often share one.
const (
	good    = "semi-dark-green"
	warning = "semi-dark-yellow"
	bad     = "semi-dark-red"
	neutral = "semi-dark-blue"
	plain   = "text"

	used      = "semi-dark-blue"   // what is really used
	requested = "semi-dark-yellow" // what was reserved
	limit     = "semi-dark-red"    // what may not be passed

	incoming = "semi-dark-blue"   // received, read, hit
	outgoing = "semi-dark-orange" // sent, written

	half  = "light-blue" // p50 … p99: the rarer, the darker
	most  = "semi-dark-blue"
	late  = "semi-dark-purple"
	worst = "dark-purple"
)

// board is a dashboard of the stack: what all have in common is set here.
type board struct {
	*dashboard.DashboardBuilder
	panels uint32
	kind   string // of its data source
}

// newBoard is one that asks Prometheus.
func newBoard(uid, title, description string, tags ...string) *board {
	return boardOn("prometheus", "Prometheus", uid, title, description, tags...)
}

// boardOn is one that asks the stack's data source of a kind.
func boardOn(kind, name, uid, title, description string, tags ...string) *board {
	builder := dashboard.NewDashboardBuilder(title).
		Uid(uid).
		Description(description).
		Tags(append([]string{"obs"}, tags...)).
		Readonly().
		Timezone("browser").
		Time("now-1h", "now").
		Refresh("30s").
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		// The others, at the same time and with the same namespace
		Link(dashboard.NewDashboardLinkBuilder("Dashboards").
			Type(dashboard.DashboardLinkTypeDashboards).
			Tags([]string{"obs"}).
			AsDropdown(true).
			IncludeVars(true).
			KeepTime(true)).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").
			Label("Data source").
			Type(kind).
			Hide(dashboard.VariableHideHideVariable).
			Current(chosen(name, "obs-"+kind)))
	return &board{DashboardBuilder: builder, kind: kind}
}

// ask adds a variable with the values of a label. They come from few series, and later ones from
// those that the earlier ones leave.
func (b *board) ask(name, label, series, from string) *board {
	return b.variable(name, label, series, from, false, dashboard.VariableHideDontHide)
}

// choose is ask for several values at once, at first all.
func (b *board) choose(name, label, series, from string) *board {
	return b.variable(name, label, series, from, true, dashboard.VariableHideDontHide)
}

// know is ask without a place on the screen.
func (b *board) know(name, series, from string) *board {
	return b.variable(name, name, series, from, false, dashboard.VariableHideHideVariable)
}

func (b *board) variable(name, label, series, from string, several bool, hide dashboard.VariableHide) *board {
	query := "label_values(" + series + ", " + from + ")"
	asked := map[string]any{"query": query, "refId": "variable"}
	if b.kind == "loki" {
		// 1: values of a label
		asked = map[string]any{"label": from, "stream": series, "type": 1, "refId": "variable"}
	}
	variable := dashboard.NewQueryVariableBuilder(name).
		Label(label).
		Datasource(b.source()).
		Query(dashboard.StringOrMap{Map: asked}).
		Definition(query).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).
		Sort(dashboard.VariableSortAlphabeticalAsc).
		Hide(hide)
	if several {
		variable.Multi(true).IncludeAll(true).AllValue(".+").Current(chosen("All", "$__all"))
	}
	b.WithVariable(variable)
	return b
}

func chosen(text, value string) dashboard.VariableOption {
	return dashboard.VariableOption{
		Text:  dashboard.StringOrArrayOfString{String: &text},
		Value: dashboard.StringOrArrayOfString{String: &value},
	}
}

// source is the data source that the hidden variable names.
func (b *board) source() common.DataSourceRef {
	return common.DataSourceRef{Type: cog.ToPtr(b.kind), Uid: cog.ToPtr("$datasource")}
}

// mark shows when alerts fired, as lines over all panels.
func (b *board) mark(selector string) *board {
	expr := `ALERTS{alertstate="firing",alertname!~"Watchdog|InfoInhibitor",` + selector + `}`
	b.Annotation(dashboard.NewAnnotationQueryBuilder().
		Name("Alerts").
		Datasource(b.source()).
		Enable(true).
		Hide(false).
		IconColor(bad).
		Expr(expr).
		Step("60s").
		TitleFormat("{{alertname}}").
		TextFormat("{{namespace}} {{pod}} {{instance}}").
		TagKeys("severity").
		Target(prometheus.NewDataqueryBuilder().Expr(expr).RefId("Anno")))
	return b
}

// row begins a new line of panels: what hurts users comes first, causes below.
func (b *board) row(title string) *board {
	b.panels++
	b.WithRow(dashboard.NewRowBuilder(title).Id(b.panels))
	return b
}
