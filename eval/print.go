package eval

import (
	"fmt"
	"io"
	"strings"
)

// Print writes the result for a terminal.
func (r *Identification) Print(w io.Writer) {
	fmt.Fprintf(w, "top-1     %s  (95 %%: %s to %s; chance %s)\n", percent(r.Top1), percent(r.Top1Low), percent(r.Top1High), percent(r.Chance))
	fmt.Fprintf(w, "top-5     %s  (95 %%: %s to %s)\n", percent(r.Top5), percent(r.Top5Low), percent(r.Top5High))
	fmt.Fprintf(w, "loss      %s nats\n", decimal(r.Loss, 4))
	fmt.Fprintf(w, "images    %d of %s in part %s; %d skipped without a label, %d rejected by the cache\n", r.N, plurals(r.Identities, "identity", "identities"), r.Part, r.Skipped, r.Rejected)
	for _, c := range r.Confusions[:min(3, len(r.Confusions))] {
		fmt.Fprintf(w, "confused  %s taken for %s in %d of %d images\n", c.Identity, c.TakenFor, c.Count, c.Of)
	}
	if r.Report != "" {
		fmt.Fprintf(w, "report    %s\n", r.Report)
	}
}

// Print writes the result for a terminal.
func (v *Verification) Print(w io.Writer) {
	fmt.Fprintf(w, "EER       %s  (at %s %s)%s\n", percent(v.EER), v.Metric.title(), decimal(v.EERThreshold, 4), v.between(v.EERLow, v.EERHigh))
	fmt.Fprintf(w, "AUC       %s%s\n", decimal(v.AUC, 4), v.between(v.AUCLow, v.AUCHigh))
	fmt.Fprintf(w, "accuracy  %s  (%s, %s; %s %s)%s\n", v.accuracyText(), v.AccuracyKind, v.foldsText(), v.thresholdName(), decimal(v.Threshold, v.places()), v.between(v.AccuracyLow, v.AccuracyHigh))
	for k, rate := range v.Rates {
		if rate.Reachable {
			fmt.Fprintf(w, "TAR       %s  at FAR %s%s\n", percent(rate.TAR), farName(rate.FAR), v.between(v.tarInterval(k)))
		}
	}
	if len(v.NotReachable) > 0 {
		fmt.Fprintf(w, "TAR       not reachable at FAR %s with so few impostor pairs\n", strings.Join(v.NotReachable, ", "))
	}
	sampled := ""
	if v.Sampled {
		sampled = fmt.Sprintf(", a sample of %d and %d", v.GenuinePairsAll, v.ImpostorPairsAll)
	}
	fmt.Fprintf(w, "pairs     %d genuine and %d impostor%s, of %d images and %s\n", v.GenuinePairs, v.ImpostorPairs, sampled, v.Images, plurals(v.Identities, "identity", "identities"))
	fmt.Fprintf(w, "left out  %s, %s\n", plural(v.MissingPairs, "pair"), plural(v.Skipped, "image"))
	if n := v.ExcludedIdentities; n > 0 {
		fmt.Fprintf(w, "people    %s left out\n", v.excludedText())
	}
	if n := v.ExcludedImages; n > 0 {
		fmt.Fprintf(w, "excluded  %s\n", plural(n, "image"))
	}
	if v.Overlap > 0 || v.OverlapBy != "" {
		fmt.Fprintf(w, "overlap   %s\n", v.overlapText())
	}
	if v.Report != "" {
		fmt.Fprintf(w, "report    %s\n", v.Report)
	}
}

func plurals(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
