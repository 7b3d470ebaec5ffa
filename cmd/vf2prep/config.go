package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/urfave/cli/v2"
)

// maxConfig bounds a configuration file, in bytes.
const maxConfig = 1 << 20

// applyConfig sets the flags that --config names and the command line does not.
func applyConfig(c *cli.Context) error {
	path := c.String("config")
	if path == "" {
		return nil
	}
	values, err := readConfig(path)
	if err != nil {
		return usage("--config: %w", err)
	}
	for _, item := range values {
		name := strings.ReplaceAll(fmt.Sprint(item.Key), "_", "-")
		flag := findFlag(c.Command, name)
		if flag == nil || name == "config" {
			return &codeError{exitUsage, fmt.Errorf("--config: %s: %s has no flag %q", path, c.Command.HelpName, name), configHint(c, name)}
		}
		name = flag.Names()[0] // of a flag with several the one that is asked for
		if c.IsSet(name) {
			continue
		}
		list, err := configValues(flag, item.Value)
		if err != nil {
			return usage("--config: %s: %s: %w", path, name, err)
		}
		for _, v := range list {
			if err := c.Set(name, v); err != nil {
				return usage("--config: %s: %s: %q: %w", path, name, v, err)
			}
		}
	}
	return nil
}

func configHint(c *cli.Context, name string) string {
	if like := closest(name, flagNames(c.Command)); like != "" {
		return fmt.Sprintf("did you mean %s?", like)
	}
	return fmt.Sprintf("run %q", c.Command.HelpName+" --help")
}

func readConfig(path string) (yaml.MapSlice, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is no file", path)
	}
	if info.Size() > maxConfig {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are read", path, info.Size(), maxConfig)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // some editors begin UTF-8 with it
	var values yaml.MapSlice
	if err := yaml.Unmarshal(text, &values); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return values, nil
}

// configValues returns the texts that a flag is set to: one, or many for a repeatable flag.
func configValues(flag cli.Flag, value any) ([]string, error) {
	list, isList := value.([]any)
	if !isList {
		list = []any{value}
	} else if _, ok := flag.(*cli.StringSliceFlag); !ok {
		return nil, errors.New("takes one value, found a list")
	}
	var out []string
	for _, v := range list {
		switch v.(type) {
		case nil:
			return nil, errors.New("has no value")
		case []any, yaml.MapSlice, map[string]any:
			return nil, errors.New("want a plain value, found a list or a map")
		}
		out = append(out, fmt.Sprint(v))
	}
	return out, nil
}

func findFlag(c *cli.Command, name string) cli.Flag {
	for _, f := range c.Flags {
		for _, n := range f.Names() {
			if n == name {
				return f
			}
		}
	}
	return nil
}

func flagNames(c *cli.Command) (names []string) {
	for _, f := range c.Flags {
		names = append(names, f.Names()...)
	}
	return names
}
