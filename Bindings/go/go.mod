module clipcore

go 1.19
