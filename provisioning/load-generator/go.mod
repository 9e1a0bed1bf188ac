module lockstep/load-generator

go 1.22
