"""The rules of the house as tables; tools/tidy reads them, ARCHITECTURE.md explains them."""

COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 60
TRACKED_BYTES_MAX = 1 << 20

# A folder of src/ -> the folders that its files may include, besides itself. Ground floor, the
# models' tower, the data tower, the roof: arrows only point up this list.
GROUND = "base tensor encoding container"
ARROWS = {
    "base": "",
    "terminal": "base",
    "fetch": "base",
    "tensor": "base",
    "encoding": "base tensor",
    "container": "base tensor encoding",
    "tokenizer": GROUND,
    "template": "base",
    "kernels": "base tensor encoding",
    # models
    "nn": GROUND + " kernels",
    "arch": GROUND + " kernels nn",
    "model": GROUND + " tokenizer template kernels nn arch",
    "engine": GROUND + " tokenizer template kernels nn arch model",
    "compress": GROUND + " tokenizer template kernels nn arch model engine",
    "train": GROUND + " tokenizer template kernels nn arch model engine",
    "eval": GROUND + " tokenizer template kernels nn arch model engine",
    "planner": GROUND + " kernels nn arch model",
    # data; registry reads a model's header to describe it, and names the kind of its template
    "store": "base",
    "registry": "base fetch encoding container template store",
    "ingest": "base fetch store",
    "retrieval": "base store ingest",
    "accounts": "base store",
    # roof
    "api": "*",
    "server": "*",
    "lib": "*",
    "cli": "*",
}

# What may be included only in some places: the prefix of the header, the places (prefixes of
# paths under src/), and why.
ONE_HOME = [
    ("nlohmann/", ("base/json.cc",), "use base/json.h: the library's header costs seconds a file"),
    ("curl/", ("fetch/",), "only fetch/ opens connections to the outside"),
    ("pcre2.h", ("tokenizer/",), "patterns of pre-tokenizers only"),
    ("openssl/", ("base/",), "use base/sha256.h"),
    ("spdlog/", ("base/log.cc",), "use base/log.h"),
    ("boost/beast", ("server/request_parser.cc",), "its headers cost seconds a file"),
    ("boost/", ("server/", "cli/"), "Asio is for the server and what runs it"),
    ("prometheus/", ("server/metrics.cc",), "use server/metrics.h"),
    ("unicode/", ("base/", "terminal/", "tokenizer/", "template/"), "use base/utf8.h"),
]

# Calls that are not made in C++ code, and what to use in their place.
PARSE = "std::from_chars and a Result (it does not guess, throw or read the locale)"
ENDS = "CHECK for our own bugs, Result for the world (base/check.h, base/result.h)"
SHELL = "posix_spawn with an argument list (no shell reads our strings)"
BANNED = {
    "stoi": PARSE, "stol": PARSE, "stoll": PARSE, "stoul": PARSE, "stoull": PARSE, "stof": PARSE,
    "stod": PARSE, "atoi": PARSE, "atol": PARSE, "atoll": PARSE, "atof": PARSE, "strtol": PARSE,
    "strtoll": PARSE, "strtoul": PARSE, "strtoull": PARSE, "strtod": PARSE, "strtof": PARSE,
    "scanf": PARSE, "sscanf": PARSE, "fscanf": PARSE,
    "abort": ENDS, "assert": ENDS, "exit": "return an exit code from main",
    "sprintf": "fmt::format", "vsprintf": "fmt::format",
    "strcpy": "std::string", "strcat": "std::string", "gets": "std::getline",
    "rand": "base/rng.h: counted random numbers", "srand": "base/rng.h: counted random numbers",
    "system": SHELL, "popen": SHELL,
    "gmtime": "gmtime_r", "localtime": "localtime_r", "strtok": "std::string_view",
}

# path (a prefix) -> calls allowed there. Short on purpose: each row says why.
ALLOWED_CALLS = {
    "src/base/check.cc": {"abort"},     # the one place where a CHECK ends the process
    "src/base/check_test.cc": {"abort"},
    "src/base/threads.cc": {"sscanf"},  # the kernel's own cgroup files
}

# Words that say that something was left for later.
LEFT_OVERS = ("TO" + "DO", "FIX" + "ME", "X" + "XX")
