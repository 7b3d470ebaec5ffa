package names

import "testing"

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		"Aaron Eckhart":         "aaron_eckhart",
		" \"Aaron_Eckhart\" ":   "aaron_eckhart",
		"Beyoncé Knowles":       "beyonce_knowles",
		"Beyonce\u0301":         "beyonce", // the mark stands alone
		"Bj\u00f6rn Str\u00f8m": "bjorn_strom",
		"Đặng Thái Sơn":         "dang_thai_son",
		"Stanisław Æsop ß":      "stanislaw_aesop_ss",
		"İlkay":                 "ilkay",
		"か":                     "か",
		"が":                     "が",
		"":                      "",
	} {
		if got := Canonical(in); got != want {
			t.Errorf("Canonical(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	for _, s := range []string{"Li, Jet", "jet_li", "JET  LI", "Jet Lí."} {
		if got := Words(s); got != "jet_li" {
			t.Errorf("Words(%q) = %q, want jet_li", s, got)
		}
	}
	if Words("Ann-Marie") != "ann_marie" || Words("...") != "" {
		t.Errorf("Words(Ann-Marie) = %q, Words(...) = %q", Words("Ann-Marie"), Words("..."))
	}
}

func TestDiffers(t *testing.T) {
	for _, c := range [][3]string{
		{"Aaron Eckhart", "\"Aaron_Eckhart\"", ""},
		{"Beyonc\u00e9_Knowles", "Beyonce\u0301 Knowles", ""}, // composed or not
		{"aaron_eckhart", "Aaron_Eckhart", "case"},
		{"Beyoncé Knowles", "Beyonce Knowles", "accents"},
		{"Łukasz Żal", "Lukasz Zal", "accents"},
		{"ÅSA MÜLLER", "Asa_Muller", "case and accents"},
		{"Ann-Marie Doe", "ann marie doe", "punctuation"},
		{"Li, Jet", "Jet_Li", "order"},
		{"Jet_Li", "Bruce_Lee", "name"},
	} {
		if got := Differs(c[0], c[1]); got != c[2] {
			t.Errorf("Differs(%q, %q) = %q, want %q", c[0], c[1], got, c[2])
		}
		if a, b := Differs(c[0], c[1]), Differs(c[1], c[0]); a != b {
			t.Errorf("%q and %q differ in %q one way, in %q the other", c[0], c[1], a, b)
		}
	}
}

// One spelling of a spelling is itself.
func FuzzCanonical(f *testing.F) {
	f.Add("Beyonce\u0301 Knowles")
	f.Add("\"İ' x")
	f.Fuzz(func(t *testing.T, s string) {
		once := Canonical(s)
		if twice := Canonical(once); twice != once {
			t.Errorf("Canonical(%q) = %q, and of that %q", s, once, twice)
		}
		if words := Words(s); Words(words) != words {
			t.Errorf("Words(%q) = %q, and of that %q", s, words, Words(words))
		}
	})
}
