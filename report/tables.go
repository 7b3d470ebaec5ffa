package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/vf2prep/vf2prep/eval"
)

const none = "–"

// unbroken keeps a number and its unit on one line.
var unbroken = strings.NewReplacer(" %", "\u00a0%")

// line is a row of a table with a column a result; "" from all leaves the row out.
type line struct {
	name string
	cell func(r *result) string
}

func share(r *result, name string) string {
	return with(r, name, func(v float64) string { return strconv.FormatFloat(100*v, 'f', 2, 64) + " %" })
}

func places(n int) func(r *result, name string) string {
	return func(r *result, name string) string {
		return with(r, name, func(v float64) string { return strconv.FormatFloat(v, 'f', n, 64) })
	}
}

// with writes a number, its deviation over folds or splits, and its interval, as far as there are.
func with(r *result, name string, write func(float64) string) string {
	v, ok := r.number(name)
	if !ok {
		return ""
	}
	text := write(v)
	if d, ok := r.number(name + "_std"); ok {
		text += " ± " + write(d)
	}
	low, ok1 := r.number(name + "_low")
	high, ok2 := r.number(name + "_high")
	if ok1 && ok2 {
		from := write(low)
		if number, unit, ok := strings.Cut(from, " "); ok && strings.HasSuffix(write(high), unit) {
			from = number
		}
		text += fmt.Sprintf(" (%s to %s)", from, write(high))
	}
	return text
}

func of(name string, write func(r *result, name string) string) func(r *result) string {
	return func(r *result) string { return write(r, name) }
}

// used writes a count and of how many, where that is known.
func used(name, total string) func(r *result) string {
	return func(r *result) string {
		text := places(0)(r, name)
		if t := places(0)(r, total); text != "" && t != "" && t != text {
			text += " of " + t
		}
		return text
	}
}

func (r *result) heads(prefix string) bool {
	for _, name := range []string{"n", "skipped_no_label", "skipped_no_prediction"} {
		if v, _ := r.number(prefix + "_" + name); v > 0 {
			return true
		}
	}
	return false
}

// leftOut writes the counts of a question of an attributes result.
func leftOut(prefix string) func(r *result) string {
	return func(r *result) string {
		if !r.heads(prefix) {
			return ""
		}
		a, b := places(0)(r, prefix+"_skipped_no_label"), places(0)(r, prefix+"_skipped_no_prediction")
		return fmt.Sprintf("%s; without label %s, without estimate %s", places(0)(r, prefix+"_n"), a, b)
	}
}

// overlap says how many of the people compared were trained on.
func overlap(r *result) string {
	if r.kind() == identification && !r.has("overlap_identities") {
		return "all: they are the classes"
	}
	v, ok := r.number("overlap_identities")
	if !ok {
		return "not known"
	}
	text := strconv.Itoa(int(v))
	if n, ok := r.number("identities"); ok {
		text += fmt.Sprintf(" of %d identities", int(n))
	}
	return text
}

// lines lists the rows of a question: its numbers, then what they leave out.
func lines(kind string) []line {
	count := places(0)
	var out []line
	switch kind {
	case identification:
		out = []line{
			{"top-1 (95 %)", of("top1", share)}, {"top-5 (95 %)", of("top5", share)}, {"mean over identities", of("identity_accuracy", share)},
			{"loss, nats", of("loss", places(4))}, {"chance", of("chance", share)},
			{"images", of("n", count)}, {"identities", of("identities", count)},
		}
	case verification:
		out = []line{{"EER", of("eer", share)}, {"AUC", of("auc", places(4))}, {"accuracy", of("accuracy", share)}, {"accuracy is", func(r *result) string { return r.text("accuracy_kind") }}}
		for k := 1; k <= 6; k++ {
			out = append(out, line{fmt.Sprintf("TAR at FAR 1e-%d", k), of(fmt.Sprintf("tar_at_far_1e-%d", k), share)})
		}
		out = append(out, line{"genuine pairs", used("genuine_pairs", "genuine_pairs_total")}, line{"impostor pairs", used("impostor_pairs", "impostor_pairs_total")},
			line{"folds", of("folds", count)}, line{"images", of("images", count)}, line{"left out: pairs", missing}, line{"pairs excluded on purpose", of("pairs_excluded", count)},
			line{"left out: templates", of("templates_left_out", count)}, line{"left out: splits", of("splits_missing", count)},
			line{"faces without an embedding", of("faces_missing_embedding", count)}, line{"faces in a photo of several", of("faces_shared_photo", count)})
	case search:
		out = []line{
			{"rank 1", of("rank1", share)}, {"rank 5", of("rank5", share)}, {"rank 10", of("rank10", share)},
			{"TPIR at FPIR 0.1", of("tpir_at_fpir_0.1", share)}, {"TPIR at FPIR 0.01", of("tpir_at_fpir_0.01", share)}, {"chance", of("chance", share)},
			{"images named", of("n", count)}, {"identities", used("identities", "identities_total")}, {"images of each named", of("test_images", count)},
			{"galleries", of("galleries", count)}, {"searches with a mate", of("mated_searches", count)}, {"searches of strangers", of("impostor_searches", count)},
			{"left out: searches", used("searches_left_out", "searches_total")}, {"left out: galleries", of("galleries_missing", count)},
			{"left out: identities", of("identities_left_out", count)}, {"left out: templates", of("templates_left_out", count)},
			{"faces without an embedding", of("faces_missing_embedding", count)}, {"faces in a photo of several", of("faces_shared_photo", count)},
		}
	case attributes:
		out = []line{
			{"age MAE, years (95 %)", of("age_mae", places(2))}, {"always the median, years", of("age_mae_constant", places(2))}, {"bias, years", of("age_bias", places(2))}, {"CS(5)", of("age_cs5", share)},
			{"epsilon error", of("age_epsilon_error", places(4))}, {"MAE of men, years", of("age_mae_male", places(2))}, {"MAE of women, years", of("age_mae_female", places(2))},
			{"ages compared", leftOut("age")},
			{"gender (95 %)", of("gender_accuracy", share)}, {"balanced accuracy", of("gender_balanced_accuracy", share)}, {"always the more frequent", of("gender_majority", share)},
			{"genders compared", leftOut("gender")},
			{"consistent ranks", of("rank_consistent", share)}, {"inversions an image", of("rank_inversions", places(2))},
			{"images", of("images", count)}, {"predictions for other images", of("unknown_images", count)},
		}
	}
	return append(out, line{"left out: images", of("skipped", count)}, line{"rejected by the cache", of("rejected", count)}, line{"seen in training", overlap})
}

// missing counts pairs that could not be judged.
func missing(r *result) string {
	if v := places(0)(r, "missing_pairs"); v != "" {
		return v
	}
	return places(0)(r, "pairs_left_out")
}

// table compares the results of one question.
func (g *group) table() eval.Table {
	t := eval.Table{Title: "Results", Head: []string{"number"}, Wide: true}
	for _, r := range g.results {
		t.Head = append(t.Head, r.name)
	}
	rows := lines(g.first().kind())
	if g.first().kind() == otherKind {
		rows = append(everyNumber(g.results), rows...)
	}
	for _, l := range rows {
		row, some := []string{l.name}, false
		for _, r := range g.results {
			cell := l.cell(r)
			some = some || cell != ""
			if cell == "" {
				cell = none
			}
			row = append(row, unbroken.Replace(cell))
		}
		if some {
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

// everyNumber lists the fields of results of a kind that has no table of its own.
func everyNumber(results []*result) (out []line) {
	names := map[string]bool{}
	for _, r := range results {
		for name := range r.field {
			if _, ok := r.number(name); ok && !hasSuffix(name, "_std", "_low", "_high") && name != "skipped" && name != "rejected" && name != "overlap_identities" {
				names[name] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		out = append(out, line{strings.ReplaceAll(name, "_", " "), func(r *result) string {
			return with(r, name, func(v float64) string {
				if v == math.Trunc(v) {
					return strconv.FormatFloat(v, 'f', 0, 64)
				}
				return strconv.FormatFloat(v, 'f', 4, 64)
			})
		}})
	}
	return out
}

func hasSuffix(s string, suffixes ...string) bool {
	return slices.ContainsFunc(suffixes, func(x string) bool { return strings.HasSuffix(s, x) })
}
