package main

import (
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/heatmap"
	"github.com/grafana/grafana-foundation-sdk/go/logs"
	"github.com/grafana/grafana-foundation-sdk/go/loki"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// query is PromQL, and what its series are called.
type query struct{ expr, legend string }

// panel is what one says of every panel. Empty says what it means when there is nothing to draw.
type panel struct {
	title, about, unit, empty string
	width, height             uint32
	queries                   []query
	// decimals if not the unit's own
	decimals *float64
	// colours of series by name or regular expression (/…/)
	colours []colour
	// steps at which a value gets another colour, the first from the beginning on
	steps []dashboard.Threshold
	// signed is for values that may be below zero
	signed bool
	// names of values that are states
	names map[string]state
}

type colour struct {
	series, colour string
	dashed, below  bool
}

func step(colour string, from ...float64) dashboard.Threshold {
	if len(from) == 0 {
		return dashboard.Threshold{Color: colour}
	}
	return dashboard.Threshold{Color: colour, Value: &from[0]}
}

// rising is for values that are better when small.
func rising(warn, fail float64) []dashboard.Threshold {
	return []dashboard.Threshold{step(good), step(warning, warn), step(bad, fail)}
}

// falling is for values that are better when large.
func falling(fail, warn float64) []dashboard.Threshold {
	return []dashboard.Threshold{step(bad), step(warning, fail), step(good, warn)}
}

// none is for counts of what should not be there.
func none() []dashboard.Threshold { return []dashboard.Threshold{step(good), step(bad, 1)} }

func (p panel) thresholds() *dashboard.ThresholdsConfigBuilder {
	steps := p.steps
	if steps == nil {
		steps = []dashboard.Threshold{step(plain)}
	}
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(steps)
}

func (b *board) target(p panel, i int) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().
		Datasource(b.source()).
		Expr(p.queries[i].expr).
		LegendFormat(p.queries[i].legend).
		RefId(letter(i))
}

// over asks for values over time, whatever the data source.
func (b *board) over(p panel, i int) cog.Builder[variants.Dataquery] {
	if b.kind != "loki" {
		return b.target(p, i).Range()
	}
	return loki.NewDataqueryBuilder().
		Datasource(b.source()).
		Expr(p.queries[i].expr).
		LegendFormat(p.queries[i].legend).
		QueryType("range").
		RefId(letter(i))
}

func letter(i int) string { return string(rune('A' + i)) }

// number shows the present value, and how it came about behind it.
func (b *board) number(p panel) *board {
	b.panels++
	built := stat.NewPanelBuilder().
		Id(b.panels).Title(p.title).Description(p.about).Unit(p.unit).NoValue(p.empty).
		Datasource(b.source()).
		Span(or(p.width, 4)).Height(or(p.height, 4)).
		Thresholds(p.thresholds()).
		ColorScheme(dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdThresholds)).
		ColorMode(common.BigValueColorModeValue).
		GraphMode(common.BigValueGraphModeArea).
		Orientation(common.VizOrientationAuto).
		JustifyMode(common.BigValueJustifyModeAuto).
		TextMode(common.BigValueTextModeAuto).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"}))
	if p.decimals != nil {
		built.Decimals(*p.decimals)
	}
	if p.names != nil {
		built.Mappings(mapped(p.names))
	}
	for i := range p.queries {
		built.WithTarget(b.over(p, i))
	}
	b.WithPanel(built)
	return b
}

// mapped says what values are called.
func mapped(names map[string]state) []dashboard.ValueMapping {
	options := map[string]dashboard.ValueMappingResult{}
	for value, s := range names {
		options[value] = dashboard.ValueMappingResult{Text: cog.ToPtr(s.text), Color: cog.ToPtr(s.colour)}
	}
	return []dashboard.ValueMapping{{ValueMap: &dashboard.ValueMap{Type: "value", Options: options}}}
}

// lines shows how values go over time.
func (b *board) lines(p panel) *board {
	b.WithPanel(b.series(p, 6))
	return b
}

// stack shows parts of a whole over time.
func (b *board) stack(p panel) *board {
	b.WithPanel(b.series(p, 30).
		Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal)))
	return b
}

func (b *board) series(p panel, fill float64) *timeseries.PanelBuilder {
	b.panels++
	built := timeseries.NewPanelBuilder().
		Id(b.panels).Title(p.title).Description(p.about).Unit(p.unit).NoValue(p.empty).
		Datasource(b.source()).
		Span(or(p.width, 12)).Height(or(p.height, 8)).
		LineWidth(1).
		FillOpacity(fill).
		GradientMode(common.GraphGradientModeNone).
		LineInterpolation(common.LineInterpolationLinear).
		ShowPoints(common.VisibilityModeNever).
		AxisBorderShow(false).
		ColorScheme(dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdPaletteClassic)).
		Thresholds(p.thresholds()).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending)).
		Legend(p.legend())
	if len(p.steps) > 1 {
		built.ThresholdsStyle(common.NewGraphThresholdsStyleConfigBuilder().Mode(common.GraphThresholdsStyleModeDashed))
	}
	switch p.unit {
	case "percentunit":
		built.AxisSoftMax(0.01)
	case "none":
		// of a count that is 0 all the time the axis would end at 100
		built.AxisSoftMax(3)
	}
	if p.decimals != nil {
		built.Decimals(*p.decimals)
	}
	floor := !p.signed
	for _, c := range p.colours {
		properties := []dashboard.DynamicConfigValue{
			{Id: "color", Value: map[string]any{"mode": "fixed", "fixedColor": c.colour}},
		}
		if c.dashed {
			properties = append(properties,
				dashboard.DynamicConfigValue{Id: "custom.lineStyle", Value: map[string]any{"fill": "dash", "dash": []int{8, 6}}},
				dashboard.DynamicConfigValue{Id: "custom.fillOpacity", Value: 0},
				dashboard.DynamicConfigValue{Id: "custom.lineWidth", Value: 1},
				dashboard.DynamicConfigValue{Id: "custom.stacking", Value: map[string]any{"mode": "none"}})
			if strings.HasPrefix(c.series, "/") {
				// one for each line that it bounds: the legend has those
				properties = append(properties, dashboard.DynamicConfigValue{Id: "custom.hideFrom", Value: map[string]any{"legend": true, "tooltip": false, "viz": false}})
			}
		}
		if c.below {
			properties = append(properties, dashboard.DynamicConfigValue{Id: "custom.transform", Value: "negative-Y"})
			built.AxisCenteredZero(true)
			floor = false
		}
		if pattern, found := strings.CutPrefix(c.series, "/"); found {
			built.OverrideByRegexp("/"+pattern, properties)
		} else {
			built.OverrideByName(c.series, properties)
		}
	}
	if floor {
		built.Min(0)
	}
	for i := range p.queries {
		built.WithTarget(b.over(p, i))
	}
	return built
}

// legend is a line for a few series that are named by the panel, or where there is little room; else a table.
func (p panel) legend() *common.VizLegendOptionsBuilder {
	legend := common.NewVizLegendOptionsBuilder().ShowLegend(true).Placement(common.LegendPlacementBottom)
	for _, q := range p.queries {
		if strings.Contains(q.legend, "{{") && or(p.width, 12) >= 12 {
			return legend.DisplayMode(common.LegendDisplayModeTable).Calcs([]string{"lastNotNull", "max"}).SortBy("Last *").SortDesc(true)
		}
	}
	return legend.DisplayMode(common.LegendDisplayModeList).Calcs([]string{})
}

// heat shows how values are spread, from the buckets of a histogram.
func (b *board) heat(p panel) *board {
	b.panels++
	built := heatmap.NewPanelBuilder().
		Id(b.panels).Title(p.title).Description(p.about).NoValue(p.empty).
		Datasource(b.source()).
		Span(or(p.width, 12)).Height(or(p.height, 8)).
		Calculate(false).
		YAxis(heatmap.NewYAxisConfigBuilder().Unit(p.unit).AxisPlacement(common.AxisPlacementLeft)).
		Color(heatmap.NewHeatmapColorOptionsBuilder().Mode(heatmap.HeatmapColorModeScheme).Scheme("Blues").Steps(32).Exponent(0.5)).
		CellGap(1).
		ExemplarsColor(plain).
		ShowLegend().
		Tooltip(heatmap.NewHeatmapTooltipBuilder().Mode(common.TooltipDisplayModeSingle).YHistogram(true)).
		MaxDataPoints(60)
	for i := range p.queries {
		built.WithTarget(b.target(p, i).Range().Format(prometheus.PromQueryFormatHeatmap))
	}
	b.WithPanel(built)
	return b
}

// column is one of a table: the field, what it is called, and how it looks.
type column struct {
	field, name, unit, link string
	width                   float64
	steps                   []dashboard.Threshold
	bar                     bool
	hidden                  bool
}

// list shows the present as a table: one row for each set of labels, one column for each query.
func (b *board) list(p panel, key []string, columns []column, sort string) *board {
	b.panels++
	built := table.NewPanelBuilder().
		Id(b.panels).Title(p.title).Description(p.about).NoValue(p.empty).
		Datasource(b.source()).
		Span(or(p.width, 12)).Height(or(p.height, 8)).
		Thresholds(p.thresholds()).
		ColorScheme(dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdThresholds)).
		ShowHeader(true).
		CellHeight(common.TableCellHeightSm).
		Filterable(true)
	if sort != "" {
		built.SortBy([]cog.Builder[common.TableSortByFieldState]{
			common.NewTableSortByFieldStateBuilder().DisplayName(sort).Desc(true)})
	}
	hidden := map[string]any{"Time": true}
	names := map[string]any{}
	order := map[string]any{}
	for i, name := range key {
		order[name] = i
	}
	for i, c := range columns {
		if c.hidden {
			hidden[c.field] = true
			continue
		}
		if c.name != "" {
			names[c.field] = c.name
		}
		if _, found := order[c.field]; !found {
			order[c.field] = len(key) + i
		}
		name := c.name
		if name == "" {
			name = c.field
		}
		var properties []dashboard.DynamicConfigValue
		add := func(id string, value any) {
			properties = append(properties, dashboard.DynamicConfigValue{Id: id, Value: value})
		}
		if c.unit != "" {
			add("unit", c.unit)
		}
		if c.width != 0 {
			add("custom.width", c.width)
		}
		if c.steps != nil {
			add("thresholds", map[string]any{"mode": "absolute", "steps": c.steps})
			if !c.bar {
				add("custom.cellOptions", map[string]any{"type": "color-text"})
			}
		}
		if c.bar {
			add("custom.cellOptions", map[string]any{"type": "gauge", "mode": "basic", "valueDisplayMode": "text"})
			add("min", 0)
			add("max", 1)
		}
		if c.link != "" {
			add("links", []map[string]any{{"title": "Show", "url": c.link}})
		}
		if len(properties) > 0 {
			built.OverrideByName(name, properties)
		}
	}
	built.WithTransformation(dashboard.DataTransformerConfig{Id: "merge", Options: map[string]any{}})
	built.WithTransformation(dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{
		"excludeByName": hidden,
		"renameByName":  names,
		"indexByName":   order,
	}})
	for i := range p.queries {
		built.WithTarget(b.target(p, i).Instant().Format(prometheus.PromQueryFormatTable))
	}
	b.WithPanel(built)
	return b
}

// lines of logs, the newest first.
func (b *board) log(p panel) *board {
	b.panels++
	built := logs.NewPanelBuilder().
		Id(b.panels).Title(p.title).Description(p.about).NoValue(p.empty).
		Datasource(b.source()).
		Span(or(p.width, 24)).Height(or(p.height, 16)).
		ShowTime(true).
		WrapLogMessage(true).
		EnableLogDetails(true).
		SortOrder(common.LogsSortOrderDescending)
	for i := range p.queries {
		built.WithTarget(b.over(p, i))
	}
	b.WithPanel(built)
	return b
}

// times shows states as bands over time: 0 and 1, or what mappings say.
func (b *board) times(p panel, names map[string]state) *board {
	b.panels++
	built := statetimeline.NewPanelBuilder().
		Id(b.panels).Title(p.title).Description(p.about).Unit(p.unit).NoValue(p.empty).
		Datasource(b.source()).
		Span(or(p.width, 12)).Height(or(p.height, 8)).
		Thresholds(p.thresholds()).
		ColorScheme(dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdThresholds)).
		MergeValues(true).
		ShowValue(common.VisibilityModeNever).
		RowHeight(0.8).
		FillOpacity(80).
		LineWidth(0).
		Mappings(mapped(names)).
		Legend(common.NewVizLegendOptionsBuilder().ShowLegend(true).DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeSingle))
	for i := range p.queries {
		built.WithTarget(b.target(p, i).Range())
	}
	b.WithPanel(built)
	return b
}

type state struct{ text, colour string }

var upDown = map[string]state{"0": {"down", bad}, "1": {"up", good}}

func or(value, other uint32) uint32 {
	if value == 0 {
		return other
	}
	return value
}

func digits(n float64) *float64 { return &n }

// to links to another dashboard at the same time; variables are pairs of a name and a field or value.
func to(uid string, variables ...string) string {
	link := "/d/" + uid + "?${__url_time_range}&${datasource:queryparam}"
	for i := 0; i+1 < len(variables); i += 2 {
		link += "&var-" + variables[i] + "=" + variables[i+1]
	}
	return link
}

func field(name string) string { return "${__data.fields[\"" + name + "\"]}" }
