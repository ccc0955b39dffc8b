#include "fetch/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <optional>

#include "base/check.h"

namespace hearth {
namespace {

constexpr std::chrono::milliseconds kLocalConnect{1000};
constexpr int kPollMs = 100;  // how late a cancellation may be seen

struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

std::string part_of(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return {};
  std::string out = text;
  curl_free(text);
  return out;
}

// Of an address of HTTP.
Result<std::string> host_of(const std::string& text) {
  const std::unique_ptr<CURLU, UrlDeleter> url(curl_url());
  CHECK(url != nullptr);
  const bool parsed = curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) == CURLUE_OK;
  const std::string scheme = parsed ? part_of(url.get(), CURLUPART_SCHEME) : "";
  std::string host = part_of(url.get(), CURLUPART_HOST);
  if ((scheme != "http" && scheme != "https") || host.empty())
    return fail(Code::kInvalid, "'{}' is no address of a server", text);
  return host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
}

// One call while it runs: what libcurl's callbacks work on.
struct Exchange {
  CURL* easy;
  const HttpCall& call;
  const PieceSink& sink;
  HttpReply reply = {};
  uint64_t received = 0;
  std::optional<Error> error = {};  // why a callback ended the call

  bool cancelled() const { return call.cancel != nullptr && call.cancel->load(); }

  Result<void> take(std::string_view piece) {
    if (cancelled()) return fail(Code::kCancelled, "cancelled");
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (sink && status / 100 == 2) return sink(piece);
    received += piece.size();
    if (received > call.reply_bytes_max)
      return fail(Code::kTooLarge, "the answer of {} is larger than {} bytes", call.url,
                  call.reply_bytes_max);
    reply.body += piece;
    return {};
  }

  static size_t on_piece(char* data, size_t, size_t bytes, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    auto taken = exchange.take({data, bytes});
    if (taken) return bytes;
    exchange.error = std::move(taken).error();
    return bytes == 0 ? 1 : 0;  // anything but `bytes` ends the call
  }

  static size_t on_room(char* data, size_t, size_t bytes, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    auto read = exchange.call.source({data, bytes});
    if (read) return *read;
    exchange.error = std::move(read).error();
    return CURL_READFUNC_ABORT;
  }
};

}  // namespace

bool is_loopback(std::string_view host) {
  const bool numeric = host.find_first_not_of("0123456789.") == std::string_view::npos;
  return host == "localhost" || host.ends_with(".localhost") || host == "::1" ||
         (numeric && host.starts_with("127."));
}

struct HttpClient::Impl {
  Impl() {
    [[maybe_unused]] static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
    easy = curl_easy_init();
    multi = curl_multi_init();
    CHECK(easy != nullptr && multi != nullptr);
  }
  ~Impl() {
    curl_easy_cleanup(easy);
    curl_multi_cleanup(multi);
  }
  Impl(const Impl&) = delete;

  template <class T>
  void set(CURLoption option, T value) {
    CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK);
  }

  HeaderList configure(Exchange& exchange, bool local);
  void configure_body(const HttpCall& call);
  Result<CURLcode> run(const Exchange& exchange);

  CURL* easy;
  CURLM* multi;
  char message[CURL_ERROR_SIZE] = {};
};

// The list of headers, which must live until the call has ended.
HeaderList HttpClient::Impl::configure(Exchange& exchange, bool local) {
  const HttpCall& call = exchange.call;
  curl_easy_reset(easy);  // options only; connections stay
  message[0] = 0;
  set(CURLOPT_URL, call.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_CUSTOMREQUEST, call.method.c_str());
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_ERRORBUFFER, message);
  if (local) set(CURLOPT_NOPROXY, "*");
  const auto connect = local ? std::min(kLocalConnect, call.connect_timeout) : call.connect_timeout;
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect.count()));
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(call.timeout.count()));
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_WRITEFUNCTION, &Exchange::on_piece);
  set(CURLOPT_WRITEDATA, &exchange);
  set(CURLOPT_READDATA, &exchange);
  configure_body(call);
  // No "Expect: 100-continue", for whose answer libcurl would wait.
  curl_slist* list = curl_slist_append(nullptr, "Expect:");
  for (const auto& [name, value] : call.headers)
    list = curl_slist_append(list, (name + ": " + value).c_str());
  set(CURLOPT_HTTPHEADER, list);
  return HeaderList(list);
}

void HttpClient::Impl::configure_body(const HttpCall& call) {
  if (call.source) {
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_READFUNCTION, &Exchange::on_room);
    set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(call.source_bytes));
  } else if (!call.body.empty() || call.method == "POST") {
    set(CURLOPT_POSTFIELDS, call.body.c_str());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
  } else if (call.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  }
}

// How the transfer ended; kCancelled where it was asked to.
Result<CURLcode> HttpClient::Impl::run(const Exchange& exchange) {
  while (true) {
    int running = 0, left = 0;
    if (CURLMcode code = curl_multi_perform(multi, &running); code != CURLM_OK)
      return fail(Code::kInternal, "libcurl: {}", curl_multi_strerror(code));
    while (const CURLMsg* told = curl_multi_info_read(multi, &left))
      if (told->msg == CURLMSG_DONE) return told->data.result;
    if (exchange.cancelled()) return fail(Code::kCancelled, "cancelled");
    if (exchange.call.on_wait) exchange.call.on_wait();
    // A signal, such as that of Ctrl-C, ends the wait at once.
    if (CURLMcode code = curl_multi_poll(multi, nullptr, 0, kPollMs, nullptr); code != CURLM_OK)
      return fail(Code::kInternal, "libcurl: {}", curl_multi_strerror(code));
  }
}

HttpClient::HttpClient() : impl_(std::make_unique<Impl>()) {}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;

Result<HttpReply> HttpClient::send(const HttpCall& call, const PieceSink& sink) {
  const std::string host = TRY(host_of(call.url));
  for (const auto& [name, value] : call.headers)
    if ((name + value).find_first_of("\r\n") != std::string::npos)
      return fail(Code::kInvalid, "the header {} holds a line break", name);
  Exchange exchange{.easy = impl_->easy, .call = call, .sink = sink};
  const HeaderList headers = impl_->configure(exchange, is_loopback(host));
  CHECK(curl_multi_add_handle(impl_->multi, impl_->easy) == CURLM_OK);
  auto ended = impl_->run(exchange);
  curl_multi_remove_handle(impl_->multi, impl_->easy);  // closes what has not ended
  if (exchange.error) return std::unexpected(std::move(*exchange.error));
  if (!ended) return std::unexpected(ended.error());
  if (*ended != CURLE_OK)
    return fail(Code::kNetwork, "{}: {}", call.url,
                impl_->message[0] != 0 ? impl_->message : curl_easy_strerror(*ended));
  long status = 0;
  curl_easy_getinfo(impl_->easy, CURLINFO_RESPONSE_CODE, &status);
  exchange.reply.status = static_cast<int>(status);
  return std::move(exchange.reply);
}

}  // namespace hearth
