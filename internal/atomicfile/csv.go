package atomicfile

import (
	"encoding/csv"
	"io"
)

// CSV writes a head and the rows that row gives, from 0.
func CSV(path string, head []string, rows int, row func(i int) []string) error {
	return Write(path, func(w io.Writer) error {
		c := csv.NewWriter(w)
		if err := c.Write(head); err != nil {
			return err
		}
		for i := range rows {
			if err := c.Write(row(i)); err != nil {
				return err
			}
		}
		c.Flush()
		return c.Error()
	})
}
