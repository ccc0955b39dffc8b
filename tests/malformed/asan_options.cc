// ASan keeps freed memory for a while to catch its use; 256 MiB of it, the default, would drown
// the limit on memory that these tests check. A function that ASan looks for by its name.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "quarantine_size_mb=32"; }
