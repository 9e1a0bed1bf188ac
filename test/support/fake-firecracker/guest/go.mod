module lockstep.invalid/fake-guest

go 1.19
