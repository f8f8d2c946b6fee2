// This file is the only place that includes Asio. Boost 1.74 forgets <utility>, which C++20 needs.
#pragma once

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

namespace vineyard::daemon {
namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;
}  // namespace vineyard::daemon
