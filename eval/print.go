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
	fmt.Fprintf(w, "EER       %s  (at squared distance %s)\n", percent(v.EER), decimal(v.EERThreshold, 4))
	fmt.Fprintf(w, "AUC       %s\n", decimal(v.AUC, 4))
	fmt.Fprintf(w, "accuracy  %s  (%s, %s; best threshold %s)\n", v.accuracyText(), v.AccuracyKind, v.foldsText(), decimal(v.Threshold, 2))
	for _, rate := range v.Rates {
		if rate.Reachable {
			fmt.Fprintf(w, "TAR       %s  at FAR %s\n", percent(rate.TAR), farName(rate.FAR))
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
	if v.Overlap > 0 {
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
