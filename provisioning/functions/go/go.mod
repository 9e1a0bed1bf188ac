module lockstep/functions/hello

go 1.22
