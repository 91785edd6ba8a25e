package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
)

// gomod writes bills of materials: https://github.com/CycloneDX/cyclonedx-gomod
const gomod = "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0"

func lambdaMaterials(dir, arch string) ([]byte, error) {
	program, err := bootstrap(dir, arch)
	if err != nil {
		return nil, err
	}
	return materials(program)
}

// functionMaterials are those of the function's local main, which links what the buildpack's
// own does: the platform builds the function, so there is no other executable to look at.
func functionMaterials(dir string) ([]byte, error) {
	program := filepath.Join(dir, "gcpfunc")
	if err := compile(program, "amd64", "./functions/gcpfunc/cmd"); err != nil {
		return nil, err
	}
	return materials(program)
}

// materials lists what an executable links, as the linker wrote it there: each module with its
// version and hash, and the standard library. Serial number, time, and the platform that a
// package URL would name (the one that writes the list) are left out, so that equal
// executables have an equal bill. It writes of the tool that made it a hash, which -trimpath
// makes the same in everybody's folders.
func materials(program string) ([]byte, error) {
	cmd := exec.Command("go", "run", "-trimpath", gomod, "bin", "-json", "-std", "-noserial", "-notimestamp", "-short-purls", program)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("cyclonedx-gomod: %w: %s", err, problems.String())
	}
	return text, nil
}
