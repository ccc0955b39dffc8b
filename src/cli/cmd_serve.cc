// hearth serve: the server.
#include <fmt/format.h>

#include "api/ollama.h"
#include "base/memory.h"
#include "cli/engine.h"
#include "cli/terminal.h"
#include "server/app.h"

namespace hearth {
namespace {

constexpr uint16_t kDefaultPort = 11434;
constexpr double kGigabyte = 1e9;
constexpr int kSendBuffer = 32 << 10;  // the kernel's: a thousand slow readers must not cost much

// Where to listen: "[scheme://]host[:port][/path]", as Ollama's variable has it too.
struct Address {
  std::string host = "localhost";
  uint16_t port = kDefaultPort;
};

Result<Address> parse_address(std::string_view text) {
  Address out;
  if (size_t scheme = text.find("://"); scheme != text.npos) text.remove_prefix(scheme + 3);
  text = text.substr(0, text.find('/'));
  size_t colon = text.rfind(':');
  if (colon != text.npos && text.find(']', colon) != text.npos) colon = text.npos;  // "[::1]"
  if (colon != text.npos && text.find(':') != colon && !text.starts_with('['))
    colon = text.npos;  // an IPv6 address without brackets
  if (colon != text.npos) {
    auto port = parse_int(text.substr(colon + 1));
    if (!port || *port < 0 || *port > 65535)
      return fail(Code::kInvalid, "'{}' is no port", text.substr(colon + 1));
    out.port = static_cast<uint16_t>(*port);
    text = text.substr(0, colon);
  }
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  if (!text.empty()) out.host = text;
  return out;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    if (comma > 0) out.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return out;
}

Result<server::AppOptions> options_of(const Options& options) {
  server::AppOptions out;
  const Address address = TRY(parse_address(options.text("host", "")));
  out.http.host = address.host;
  out.http.port = static_cast<uint16_t>(options.integer("port", address.port));
  out.http.api_key = environment("API_KEY").value_or("");
  out.http.origins = split_list(options.text("origins", ""));
  out.http.hosts = split_list(options.text("hosts", ""));
  out.http.access_log = !options.flag("quiet");
  out.http.send_buffer = kSendBuffer;
  out.hub.precision = TRY(precision_of(options));
  out.hub.kv = TRY(kv_type_of(options, out.hub.precision));
  out.hub.context = options.integer("ctx", 0);
  out.hub.memory_max = options.has("memory")
                           ? static_cast<uint64_t>(options.number("memory") * kGigabyte)
                           : server::default_memory();
  out.hub.models_max = options.integer("models", 0);
  out.hub.queue_max = options.integer("queue");
  out.hub.rows_max = options.integer("parallel");
  auto keep = api::parse_ollama_keep_alive(Json(options.text("keep-alive", "5m")));
  if (!keep) return std::unexpected(with_context(keep.error().error, "--keep-alive"));
  out.hub.keep_alive = *keep;
  out.engine.threads = static_cast<int>(options.integer("threads", 0));
  out.engine.step_seconds = options.number("step") / 1000;
  out.drain = std::chrono::milliseconds(1000 * options.integer("drain"));
  out.queue_time = std::chrono::seconds(options.integer("queue-time"));
  return out;
}

Result<int> serve(const Args& args) {
  server::AppOptions options = TRY(options_of(args.options));
  Store store = TRY(Store::open());
  const size_t models = TRY(store.list()).size();
  auto app = TRY(server::App::create(options, store));
  write_err(fmt::format(
      "Hearth listens on http://{}\n"
      "  {} model{} in {}\n"
      "  precision {}, {} threads, up to {:.1f} GB of memory for models and their caches\n"
      "  {}\n",
      app->http().address(), models, models == 1 ? "" : "s", store.folder().string(),
      name_of(options.hub.precision), app->engine().threads(),
      static_cast<double>(options.hub.memory_max) / kGigabyte,
      options.http.api_key.empty() ? "no key is set: only this machine is served (HEARTH_API_KEY)"
                                   : "requests need the key of HEARTH_API_KEY"));
  app->run();
  write_err("Hearth has stopped\n");
  return 0;
}

constexpr OptionRow kOptions[] = {
    {.name = "host", .type = OptionType::kString, .env = "HOST", .ollama_env = "HOST",
     .value_name = "HOST[:PORT]",
     .text = "where to listen (localhost:11434); others than this machine need HEARTH_API_KEY"},
    {.name = "port", .type = OptionType::kInt, .min = 0, .max = 65535, .value_name = "N",
     .text = "the port; 0: any that is free"},
    {.name = "keep-alive", .type = OptionType::kString, .env = "KEEP_ALIVE",
     .ollama_env = "KEEP_ALIVE", .value_name = "TIME",
     .text = "how long a model stays after its last request: 5m, 0, -1 for ever (5m)"},
    {.name = "memory", .type = OptionType::kFloat, .min = 0.001, .max = 1e6, .env = "MEMORY",
     .value_name = "GB", .text = "for models and their caches (four fifths of what is free)"},
    {.name = "models", .type = OptionType::kInt, .min = 0, .max = 1024, .env = "MAX_MODELS",
     .ollama_env = "MAX_LOADED_MODELS", .value_name = "N",
     .text = "models in memory at most; 0: as many as fit (0)"},
    {.name = "parallel", .type = OptionType::kInt, .fallback = "1024", .min = 1, .max = 65536,
     .env = "PARALLEL", .ollama_env = "NUM_PARALLEL", .value_name = "N",
     .text = "answers of a model that are generated at once; more wait"},
    {.name = "queue", .type = OptionType::kInt, .fallback = "512", .min = 0, .max = 1e6,
     .env = "QUEUE", .ollama_env = "MAX_QUEUE", .value_name = "N",
     .text = "requests of a model that may wait; more are refused"},
    {.name = "queue-time", .type = OptionType::kInt, .fallback = "120", .min = 1, .max = 86400,
     .env = "QUEUE_TIME", .value_name = "SECONDS", .text = "that a request may wait"},
    {.name = "step", .type = OptionType::kFloat, .fallback = "60", .min = 1, .max = 10000,
     .env = "STEP", .value_name = "MS",
     .text = "milliseconds between two tokens of a stream at most, where others' prompts are read"},
    {.name = "origins", .type = OptionType::kString, .env = "ORIGINS", .ollama_env = "ORIGINS",
     .value_name = "LIST", .text = "web pages that may ask, besides those of this machine"},
    {.name = "hosts", .type = OptionType::kString, .env = "HOSTS", .value_name = "LIST",
     .text = "names under which the server is asked, besides those of this machine"},
    {.name = "drain", .type = OptionType::kInt, .fallback = "30", .min = 0, .max = 86400,
     .value_name = "SECONDS", .text = "for answers that run when the server is told to stop"},
    {.name = "quiet", .type = OptionType::kFlag, .text = "no line in the log for each request"},
    kContextOption, kPrecisionOption, kKvOption, kThreadsOption,
};

}  // namespace

extern const Command k_serve_command = {
    .name = "serve",
    .alias = "start",
    .summary = "answer requests over HTTP",
    .help = "Speaks OpenAI's API under /v1 and Ollama's under /api, to any number of clients at\n"
            "once. Models are loaded when they are asked for.\n\n"
            "Examples:\n"
            "  hearth serve\n"
            "  HEARTH_API_KEY=secret hearth serve --host 0.0.0.0\n",
    .options = kOptions,
    .run = serve,
};

}  // namespace hearth
