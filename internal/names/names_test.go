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
