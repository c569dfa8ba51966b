// meridianctl: see tools/README.md.

#include "tools/ctl/app.h"

int main(int argc, char** argv) { return meridian::ctl::run(argc, argv); }
