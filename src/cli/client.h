// ServerClient: a running server as the commands use it, in Ollama's dialect, so that it may be
// Hearth's or another's. Nothing here knows what a command shows.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/options.h"
#include "fetch/http_client.h"
#include "registry/model_name.h"
#include "registry/resolve.h"
#include "registry/store.h"

namespace hearth {

// Rows of the commands that a server can serve.
inline constexpr OptionRow kHostOption = {
    .name = "host",
    .type = OptionType::kString,
    .env = "HOST",
    .ollama_env = "HOST",
    .value_name = "HOST:PORT",
    .text = "the server to use (default 127.0.0.1:11434, where one runs)"};
inline constexpr OptionRow kLocalOption = {
    .name = "local",
    .type = OptionType::kFlag,
    .env = "LOCAL",
    .text = "use no server, though one may run"};

// Whether the command line itself says it, otherwise than the environment or the default would.
bool is_chosen(const Options& options, std::string_view name);

// "http://127.0.0.1:11434" from [scheme://]host[:port][/path], where each part may be missing: the
// port is 11434, or the scheme's own where one is given; 0.0.0.0 and [::] mean this machine. kUsage
// for what is none.
Result<std::string> server_url(std::string_view host);

struct ServerModel {  // of the server's store
  std::string name, digest;  // 64 hex digits
  uint64_t size = 0;
  int64_t modified = 0;      // seconds since 1970
};

struct ServerProcess {  // a model in its memory
  std::string name, digest;
  uint64_t size = 0, size_vram = 0;  // bytes in all; of those, on a GPU
  int64_t context = 0;               // tokens
  std::string expires_at;            // as it says it
  int64_t expires = 0;               // seconds since 1970
};

struct ServerModelInfo {
  std::string system, template_text;
  Json params;  // as ResolvedModel has them
  std::vector<SeedMessage> messages;
  std::vector<std::string> capabilities;
  int64_t context = 0;  // tokens that the model was made for; 0: not told
};

// One line of an answer that comes line by line.
using JsonSink = std::function<Result<void>(const Json& line)>;

// Errors: kNetwork where nobody answers, else the code of the status with the server's own words.
class ServerClient {
 public:
  // By --host and HEARTH_HOST; with HEARTH_API_KEY where it is set. Sends nothing.
  static Result<ServerClient> create(const Options& options);
  const std::string& url() const { return url_; }
  // Whether it is somewhere else, or asked for by name: that it is not there is an error then.
  bool must_answer() const { return must_answer_; }
  // A flag that ends any call, with kCancelled.
  void set_cancel(const std::atomic<bool>* cancel) { cancel_ = cancel; }

  // The server's version; kNetwork when it does not answer at once.
  Result<std::string> probe();

  Result<std::vector<ServerModel>> list();
  Result<std::vector<ServerProcess>> running();
  Result<ServerModelInfo> show(const std::string& model);
  Result<void> copy(const std::string& from, const std::string& to);
  Result<void> remove(const std::string& model);
  // Into memory, with Ollama's members beside the name, such as options; and out of it.
  Result<void> load(Json body, const std::function<void()>& on_wait = {});
  Result<void> unload(const std::string& model);

  // Bodies and lines are those of /api/chat and its like; kNetwork when the last line is missing.
  Result<void> chat(const Json& body, const JsonSink& sink);
  Result<void> generate(const Json& body, const JsonSink& sink);
  Result<void> create(const Json& body, const JsonSink& sink);
  Result<bool> has_blob(const Digest& digest);
  Result<void> upload(const Digest& digest, const std::filesystem::path& file,
                      const ProgressFunction& progress);

 private:
  ServerClient() = default;
  HttpCall call(std::string_view method, std::string_view path) const;
  Result<HttpReply> send(const HttpCall& call, const PieceSink& sink = {});
  Result<Json> ask(std::string_view method, std::string_view path, const Json* body,
                   const std::function<void()>& on_wait = {});
  Result<void> stream(std::string_view path, const Json& body, const JsonSink& sink,
                      bool (*is_last)(const Json& line));

  std::string url_;
  std::string key_;  // never shown
  bool must_answer_ = false;
  const std::atomic<bool>* cancel_ = nullptr;
  HttpClient http_;
};

}  // namespace hearth
