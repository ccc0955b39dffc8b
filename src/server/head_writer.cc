#include "server/head_writer.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <ctime>

namespace hearth::server {
namespace {

struct Status {
  int code;
  std::string_view text;
};
constexpr Status kStatuses[] = {
    {200, "OK"},                     {201, "Created"},
    {202, "Accepted"},               {204, "No Content"},
    {304, "Not Modified"},           {400, "Bad Request"},
    {401, "Unauthorized"},           {403, "Forbidden"},
    {404, "Not Found"},              {405, "Method Not Allowed"},
    {408, "Request Timeout"},        {409, "Conflict"},
    {413, "Content Too Large"},      {414, "URI Too Long"},
    {415, "Unsupported Media Type"}, {417, "Expectation Failed"},
    {422, "Unprocessable Content"},  {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {499, "Client Closed Request"},  {500, "Internal Server Error"},
    {501, "Not Implemented"},        {502, "Bad Gateway"},
    {503, "Service Unavailable"},    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},   {529, "Overloaded"},
};

void append_number(std::string& out, uint64_t number) {
  std::array<char, 20> text;
  auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  out.append(text.data(), end);
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ");
  size_t begin = out.size();
  out.append(value);
  for (size_t i = begin; i < out.size(); ++i)
    if (static_cast<unsigned char>(out[i]) < 0x20 || out[i] == 0x7F) out[i] = ' ';
  out.append("\r\n");
}

// Made once a second. The server has one thread for this, so there is one for each.
std::string_view date_now(std::chrono::system_clock::time_point now) {
  thread_local int64_t made_for = -1;
  thread_local std::string text;
  int64_t seconds = std::chrono::system_clock::to_time_t(now);
  if (seconds != made_for) {
    text = http_date(seconds);
    made_for = seconds;
  }
  return text;
}

}  // namespace

std::string_view status_text(int status) {
  for (const Status& row : kStatuses)
    if (row.code == status) return row.text;
  return "Unknown";
}

std::string http_date(int64_t seconds) {
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  time_t time = static_cast<time_t>(seconds);
  tm utc = {};
  gmtime_r(&time, &utc);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[utc.tm_wday], utc.tm_mday,
                     kMonths[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

void append_head(std::string& out, const AnswerHead& head,
                 std::chrono::system_clock::time_point now) {
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<uint64_t>(head.status));
  out.append(" ").append(status_text(head.status)).append("\r\nDate: ");
  out.append(date_now(now)).append("\r\n");
  if (!head.content_type.empty()) append_field(out, "Content-Type", head.content_type);
  if (head.content_length) {
    out.append("Content-Length: ");
    append_number(out, *head.content_length);
    out.append("\r\n");
  }
  if (head.chunked) out.append("Transfer-Encoding: chunked\r\n");
  if (!head.keep_alive) {
    out.append("Connection: close\r\n");
  } else if (head.http_1_0) {
    out.append("Connection: keep-alive\r\n");
  }
  if (!head.request_id.empty()) append_field(out, "X-Request-Id", head.request_id);
  if (!head.allowed_origin.empty()) {
    append_field(out, "Access-Control-Allow-Origin", head.allowed_origin);
    append_field(out, "Access-Control-Expose-Headers", "X-Request-Id, Retry-After");
    append_field(out, "Vary", "Origin");
  }
  for (const auto& [name, value] : head.headers) append_field(out, name, value);
  out.append("\r\n");
}

}  // namespace hearth::server
