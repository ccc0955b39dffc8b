#include "cli/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/file.h"
#include "base/sampling_params.h"
#include "base/time.h"

namespace hearth {
namespace {

constexpr std::chrono::milliseconds kProbeLocal{300}, kProbeRemote{3000};
constexpr size_t kLineBytesMax = 16 << 20;

struct StatusRow {
  int status;
  Code code;
};
constexpr StatusRow kStatuses[] = {
    {400, Code::kInvalid}, {401, Code::kDenied}, {403, Code::kDenied},    {404, Code::kNotFound},
    {409, Code::kExists},  {413, Code::kTooLarge}, {429, Code::kBusy},    {499, Code::kCancelled},
    {503, Code::kBusy},    {507, Code::kDiskFull},
};

std::unexpected<Error> refused(const std::string& url, const HttpReply& reply) {
  Code code = Code::kInternal;
  for (const StatusRow& row : kStatuses)
    if (row.status == reply.status) code = row.code;
  const auto body = Json::parse(reply.body);
  if (body && (*body)["error"].is_string() && !(*body)["error"].as_string().empty())
    return fail(code, "{}", (*body)["error"].as_string());
  if (reply.status == 401)
    return fail(code, "the server at {} wants a key: set HEARTH_API_KEY", url);
  return fail(code, "the server at {} answered with status {}", url, reply.status);
}

// Members of an answer, empty or 0 where they are missing: another's server is at the other end.
std::string text_of(const Json& item, std::string_view name) {
  return item[name].is_string() ? item[name].as_string() : std::string();
}
int64_t number_of(const Json& item, std::string_view name) {
  return item[name].is_int() ? item[name].as_int() : 0;
}
uint64_t bytes_of(const Json& item, std::string_view name) {
  return static_cast<uint64_t>(std::max<int64_t>(number_of(item, name), 0));
}
const Json::Array& array_of(const Json& item, std::string_view name) {
  static const Json::Array none;
  return item[name].is_array() ? item[name].as_array() : none;
}
int64_t time_of(const Json& item, std::string_view name) {
  return parse_iso_time(text_of(item, name)).value_or(0);
}

// Cuts what comes into lines, and those into JSON.
class LineReader {
 public:
  explicit LineReader(const JsonSink& sink) : sink_(sink) {}

  Result<void> push(std::string_view piece) {
    while (!piece.empty()) {
      const size_t newline = piece.find('\n');
      waiting_ += piece.substr(0, newline);
      if (waiting_.size() > kLineBytesMax)
        return fail(Code::kTooLarge, "the server sent a line of more than {} MiB",
                    kLineBytesMax >> 20);
      if (newline == std::string_view::npos) return {};
      piece.remove_prefix(newline + 1);
      TRY(finish());
    }
    return {};
  }
  // What stands after the last newline is a line, too.
  Result<void> finish() {
    const std::string line = std::exchange(waiting_, {});
    if (line.find_first_not_of(" \t\r") == std::string::npos) return {};
    auto json = Json::parse(line);
    if (!json) return fail(Code::kNetwork, "the server sent a line that is no JSON");
    if ((*json)["error"].is_string()) return fail(Code::kInternal, "{}", text_of(*json, "error"));
    return sink_(*json);
  }

 private:
  const JsonSink& sink_;
  std::string waiting_;
};

// The "parameters" of /api/show: a line per value, texts in quotes.
Json parse_parameters(std::string_view text) {
  Json out = Json::Object{};
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const size_t space = line.find(' ');
    const size_t value = line.find_first_not_of(' ', space);
    if (space == 0 || value == std::string_view::npos) continue;
    const std::string name(line.substr(0, space));
    const std::string_view words = line.substr(value);
    Json item = Json::parse(words).value_or(Json(words));
    const OptionRow* row = nullptr;
    for (const SamplingRow& known : sampling_rows())
      if (known.option.name == name) row = &known.option;
    if (row == nullptr || !row->many) {
      out.set(name, std::move(item));
      continue;
    }
    Json list = out[name].is_array() ? out[name] : Json(Json::Array{});
    list.push_back(std::move(item));
    out.set(name, std::move(list));
  }
  return out;
}

bool chat_ends(const Json& line) { return line["done"].is_bool() && line["done"].as_bool(); }
bool create_ends(const Json& line) { return text_of(line, "status") == "success"; }

Json model_body(const std::string& model) { return Json::Object{{"model", model}}; }

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

bool is_chosen(const Options& options, std::string_view name) {
  const OptionRow* row = options.find_row(name);
  if (row == nullptr || !options.given(name)) return false;
  const std::string& value = options.list(name).back();
  return value != row->fallback && value != environment(row->env, row->ollama_env);
}

Result<std::string> server_url(std::string_view host) {
  auto bad = [whole = host] {
    return fail(Code::kUsage, "'{}' is no address of a server, such as 127.0.0.1:11434", whole);
  };
  std::string scheme = "http";
  int64_t port = 11434;
  if (const size_t at = host.find("://"); at != std::string_view::npos) {
    scheme = host.substr(0, at);
    host.remove_prefix(at + 3);
    if (scheme != "http" && scheme != "https") return bad();
    port = scheme == "http" ? 80 : 443;
  }
  const size_t slash = std::min(host.find('/'), host.size());
  std::string path(host.substr(slash));
  while (path.ends_with('/')) path.pop_back();
  host = host.substr(0, slash);
  std::string_view name = host;
  // A name with several colons is an address of IPv6 without a port, unless it is in brackets.
  const bool brackets = name.starts_with('[');
  const size_t end = brackets ? name.find(']') : std::string_view::npos;
  if (brackets && end == std::string_view::npos) return bad();
  const size_t colon = name.find(':', brackets ? end : 0);
  const bool bare_six = !brackets && std::ranges::count(name, ':') > 1;
  if (colon != std::string_view::npos && !bare_six) {
    const auto number = parse_int(name.substr(colon + 1));
    if (!number || *number < 1 || *number > 65535) return bad();
    port = *number;
    name = name.substr(0, colon);
  }
  if (brackets) {
    if (end + 1 != name.size()) return bad();
    name = name.substr(1, end - 1);
  }
  if (name.empty() || name == "0.0.0.0") name = "127.0.0.1";
  if (name == "::") name = "::1";
  const bool six = name.find(':') != std::string_view::npos;
  if (name.find_first_not_of(six ? "0123456789abcdefABCDEF:.%" :
                             "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_") !=
      std::string_view::npos)
    return bad();
  return six ? fmt::format("{}://[{}]:{}{}", scheme, name, port, path)
             : fmt::format("{}://{}:{}{}", scheme, name, port, path);
}

Result<ServerClient> ServerClient::create(const Options& options) {
  ServerClient out;
  const std::string host = options.text("host", "");
  out.url_ = TRY(server_url(host));
  out.key_ = environment("API_KEY", "API_KEY").value_or("");
  std::string_view name = std::string_view(out.url_).substr(out.url_.find("//") + 2);
  name = name.starts_with('[') ? name.substr(1, name.find(']') - 1)
                               : name.substr(0, name.find(':'));
  out.must_answer_ = is_chosen(options, "host") || !is_loopback(name);
  return out;
}

HttpCall ServerClient::call(std::string_view method, std::string_view path) const {
  HttpCall out{.method = std::string(method), .url = url_ + std::string(path), .cancel = cancel_};
  if (!key_.empty()) out.headers.emplace_back("Authorization", "Bearer " + key_);
  return out;
}

Result<HttpReply> ServerClient::send(const HttpCall& call, const PieceSink& sink) {
  HttpReply reply = TRY(http_.send(call, sink));
  if (reply.status / 100 != 2) return refused(url_, reply);
  return reply;
}

Result<Json> ServerClient::ask(std::string_view method, std::string_view path, const Json* body,
                               const std::function<void()>& on_wait) {
  HttpCall call = this->call(method, path);
  call.on_wait = on_wait;
  if (body != nullptr) {
    call.headers.emplace_back("Content-Type", "application/json");
    call.body = body->dump();
  }
  const HttpReply reply = TRY(send(call));
  if (reply.body.empty()) return Json();
  auto json = Json::parse(reply.body);
  if (!json) return fail(Code::kNetwork, "the server at {} sent something that is no JSON", url_);
  return std::move(*json);
}

Result<void> ServerClient::stream(std::string_view path, const Json& body, const JsonSink& sink,
                                  bool (*is_last)(const Json& line)) {
  HttpCall call = this->call("POST", path);
  call.headers.emplace_back("Content-Type", "application/json");
  call.headers.emplace_back("Accept", "application/x-ndjson");
  call.body = body.dump();
  bool ended = false;
  const JsonSink watched = [&](const Json& line) -> Result<void> {
    ended |= is_last(line);
    return sink(line);
  };
  LineReader lines(watched);
  TRY(send(call, [&](std::string_view piece) { return lines.push(piece); }));
  TRY(lines.finish());
  if (!ended) return fail(Code::kNetwork, "the server at {} broke off", url_);
  return {};
}

Result<std::string> ServerClient::probe() {
  HttpCall call = this->call("GET", "/api/version");
  call.timeout = must_answer_ ? kProbeRemote : kProbeLocal;
  call.connect_timeout = call.timeout;
  call.reply_bytes_max = 64 << 10;
  auto reply = send(call);
  if (!reply && reply.error().code == Code::kDenied) return std::unexpected(reply.error());
  const auto json = reply ? Json::parse(reply->body) : Result<Json>(Json());
  if (!reply || !json || !(*json)["version"].is_string())
    return fail(Code::kNetwork, "no server answers at {}", url_);
  // A server that nobody named is used only where it is Hearth's: another one has another store.
  if (!must_answer_ && !(*json)["hearth"].is_string())
    return fail(Code::kNetwork, "the server at {} is not Hearth", url_);
  return (*json)["version"].as_string();
}

Result<std::vector<ServerModel>> ServerClient::list() {
  const Json answer = TRY(ask("GET", "/api/tags", nullptr));
  std::vector<ServerModel> out;
  for (const Json& item : array_of(answer, "models"))
    out.push_back({.name = text_of(item, "name"), .digest = text_of(item, "digest"),
                   .size = bytes_of(item, "size"), .modified = time_of(item, "modified_at")});
  return out;
}

Result<std::vector<ServerProcess>> ServerClient::running() {
  const Json answer = TRY(ask("GET", "/api/ps", nullptr));
  std::vector<ServerProcess> out;
  for (const Json& item : array_of(answer, "models"))
    out.push_back({.name = text_of(item, "name"), .digest = text_of(item, "digest"),
                   .size = bytes_of(item, "size"), .size_vram = bytes_of(item, "size_vram"),
                   .context = number_of(item, "context_length"),
                   .expires_at = text_of(item, "expires_at"),
                   .expires = time_of(item, "expires_at")});
  return out;
}

Result<ServerModelInfo> ServerClient::show(const std::string& model) {
  const Json body = model_body(model);
  const Json answer = TRY(ask("POST", "/api/show", &body));
  ServerModelInfo out{.system = text_of(answer, "system"),
                      .template_text = text_of(answer, "template"),
                      .params = parse_parameters(text_of(answer, "parameters"))};
  for (const Json& item : array_of(answer, "messages"))
    out.messages.push_back({text_of(item, "role"), text_of(item, "content")});
  for (const Json& item : array_of(answer, "capabilities"))
    if (item.is_string()) out.capabilities.push_back(item.as_string());
  const Json& facts = answer["model_info"];
  out.context = number_of(facts, text_of(facts, "general.architecture") + ".context_length");
  return out;
}

Result<void> ServerClient::copy(const std::string& from, const std::string& to) {
  const Json body = Json::Object{{"source", from}, {"destination", to}};
  TRY(ask("POST", "/api/copy", &body));
  return {};
}

Result<void> ServerClient::remove(const std::string& model) {
  const Json body = model_body(model);
  TRY(ask("DELETE", "/api/delete", &body));
  return {};
}

Result<void> ServerClient::load(Json body, const std::function<void()>& on_wait) {
  body.set("stream", false);
  TRY(ask("POST", "/api/generate", &body, on_wait));
  return {};
}

Result<void> ServerClient::unload(const std::string& model) {
  Json body = model_body(model);
  body.set("prompt", "");
  body.set("keep_alive", 0);
  return load(std::move(body));
}

Result<void> ServerClient::chat(const Json& body, const JsonSink& sink) {
  return stream("/api/chat", body, sink, chat_ends);
}

Result<void> ServerClient::generate(const Json& body, const JsonSink& sink) {
  return stream("/api/generate", body, sink, chat_ends);
}

Result<void> ServerClient::create(const Json& body, const JsonSink& sink) {
  return stream("/api/create", body, sink, create_ends);
}

Result<bool> ServerClient::has_blob(const Digest& digest) {
  auto reply = send(call("HEAD", "/api/blobs/" + digest.text()));
  if (!reply && reply.error().code == Code::kNotFound) return false;
  if (!reply) return std::unexpected(reply.error());
  return true;
}

Result<void> ServerClient::upload(const Digest& digest, const std::filesystem::path& file,
                                  const ProgressFunction& progress) {
  const std::unique_ptr<std::FILE, FileCloser> input(std::fopen(file.c_str(), "rb"));
  if (!input) return fail_errno("open", file);
  std::error_code error;
  HttpCall call = this->call("POST", "/api/blobs/" + digest.text());
  call.headers.emplace_back("Content-Type", "application/octet-stream");
  call.source_bytes = std::filesystem::file_size(file, error);
  if (error) return fail(Code::kIo, "cannot read {}: {}", file.string(), error.message());
  uint64_t sent = 0;
  call.source = [&](std::span<char> buffer) -> Result<size_t> {
    const size_t bytes = std::fread(buffer.data(), 1, buffer.size(), input.get());
    if (std::ferror(input.get())) return fail_errno("read", file);
    sent += bytes;
    if (progress) progress(sent, call.source_bytes);
    return bytes;
  };
  TRY(send(call));
  return {};
}

}  // namespace hearth
