package main

// closest returns the name that was probably meant, "" where none is near: at most one letter in
// three may be wrong, missing or too many.
func closest(typed string, names []string) string {
	best, at := "", (len(typed)+1)/3+1
	for _, n := range names {
		if d := distance(typed, n); d < at {
			best, at = n, d
		}
	}
	return best
}

// distance counts the letters that must be inserted, removed or replaced to make a of b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			corner, row[j+1] = row[j+1], min(corner+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
