// Package recipes holds the trainings of the literature as configuration files for vf2prep train
// --config. It knows nothing of what their words mean.
package recipes

import (
	"embed"
	"fmt"
	"path"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Recipe is one configuration file. Its comments say where it comes from, which shards it wants
// and what it follows.
type Recipe struct {
	Name  string `json:"name"`
	Title string `json:"title"` // the first line of its comment
	Text  string `json:"text"`
}

// All returns the recipes in the order of their names.
func All() []Recipe {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // the files are part of the program
	}
	var all []Recipe
	for _, e := range entries {
		text, err := files.ReadFile(e.Name())
		if err != nil {
			panic(err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		all = append(all, Recipe{
			Name: strings.TrimSuffix(e.Name(), path.Ext(e.Name())), Title: strings.TrimPrefix(first, "# "), Text: string(text),
		})
	}
	return all
}

// Get returns the recipe of a name. The error lists those there are.
func Get(name string) (Recipe, error) {
	var names []string
	for _, r := range All() {
		if r.Name == name {
			return r, nil
		}
		names = append(names, r.Name)
	}
	return Recipe{}, fmt.Errorf("no recipe %q; there are %s", name, strings.Join(names, ", "))
}
