package synth

import (
	"strings"

	"github.com/vf2prep/vf2prep/rng"
)

// Invented names, in the manner of the real file: words joined by underscores, letters of many
// alphabets' Latin spellings, now and then a comma.
var (
	womenNames = strings.Fields("Adela Birgit Carmen Dagný Édith Fatima Gráinne Hana Inés Jana Kaja Lucía Mireille Noor Oksana Petra Quiara Renée Søs Tamar Una Věra Wanda Xenia Yūko Zoë Anouk Beatriz Ingrid Noémie")
	menNames   = strings.Fields("Aldo Björn Cyril Dušan Émile Farid Gustav Håkon Ibrahim José Karel Lázaro Milan Núñez Ólafur Pascal Quentin René Stéphane Tomáš Uwe Vítor Wim Xavier Yusuf Zoltán Anders Bruno Jürgen Raúl")
	families   = strings.Fields("Abeltorp Brannvik Castelmar Dornfeld Estrovar Fjellmo Galandri Holmquart Ivaresc Jorunde Kastelnik Lindmoor Marevski Nordahlen Ostrambe Pelluquin Quintavar Rosmarek Sandoviz Tarvanen Ulvestad Valdoré Wexholm Ximandre Ylvaker Zambrosi Šimkova Åkerlind Ćorlević Øversen")
)

// names gives n different names.
func names(seed uint64, female []bool) []string {
	r := rng.Stream(seed, "synth names")
	seen := map[string]int{}
	out := make([]string, len(female))
	for i := range out {
		first := menNames[r.IntN(len(menNames))]
		if female[i] {
			first = womenNames[r.IntN(len(womenNames))]
		}
		last := families[r.IntN(len(families))]
		name := first + "_" + last
		switch r.IntN(20) {
		case 0:
			name = first + ",_" + []string{"Prince", "Princess"}[b2i(female[i])] + "_of_" + last
		case 1:
			name = first + "_" + string(rune('A'+r.IntN(26))) + "._" + last
		case 2:
			name = last // as singers have it
		}
		seen[name]++
		if k := seen[name]; k > 1 {
			name += "_(" + []string{"actor", "singer", "athlete", "politician"}[k%4] + strings.Repeat("_II", (k-1)/4) + ")"
		}
		out[i] = name
	}
	return out
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
