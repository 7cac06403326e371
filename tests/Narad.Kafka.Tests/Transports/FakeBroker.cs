using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Narad.Kafka.Tests.Transports;

/// <summary>
/// A broker on loopback that answers ApiVersions, and Metadata (version 13) as the test says; every other request closes the connection. Thread-safe.
/// </summary>
internal sealed class FakeBroker : IDisposable
{
    private const short Metadata = 3;
    private const short ApiVersions = 18;
    private const short MetadataVersion = 13;
    private const short UnsupportedVersion = 35;
    private const short UnknownServerError = -1;
    private const short RebootstrapRequired = 129;
    private const short LeaderNotAvailable = 5;

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private MetadataAnswer _answer;
    private int _asked;

    public FakeBroker(int? advertisedPort = null)
    {
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        AdvertisedPort = advertisedPort ?? Port;
        _ = Task.Run(AcceptAsync);
    }

    public int Port { get; }

    public int AdvertisedPort { get; }

    public string Address => $"127.0.0.1:{Port}";

    /// <summary>How many requests for metadata came since <see cref="Answer"/> was set.</summary>
    public int Asked => Volatile.Read(ref _asked);

    /// <summary>How it answers from now on.</summary>
    public MetadataAnswer Answer
    {
        get
        {
            lock (_lock)
            {
                return _answer;
            }
        }

        set
        {
            lock (_lock)
            {
                _answer = value;
                _asked = 0;
                _changed.TrySetResult();
                _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }
    }

    public void Dispose()
    {
        _stopping.Cancel();
        _listener.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_stopping.Token);
                _ = Task.Run(() => ServeAsync(client));
            }
        }
        catch (Exception error) when (error is OperationCanceledException or ObjectDisposedException or SocketException)
        {
            // disposed
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var connection = client;
        try
        {
            var stream = client.GetStream();
            while (true)
            {
                var length = BinaryPrimitives.ReadInt32BigEndian(await ReadAsync(stream, sizeof(int)));
                var request = new Request(await ReadAsync(stream, length));
                if (await AnswerAsync(request) is not { } answer)
                {
                    return;
                }

                await stream.WriteAsync(answer, _stopping.Token);
            }
        }
        catch (Exception error) when (error is IOException or OperationCanceledException or ObjectDisposedException or SocketException)
        {
            // the client under test closed it, or the broker is disposed
        }
    }

    private async Task<byte[]> ReadAsync(NetworkStream stream, int count)
    {
        var bytes = new byte[count];
        await stream.ReadExactlyAsync(bytes, _stopping.Token);
        return bytes;
    }

    // Null: the connection is closed.
    private async Task<byte[]?> AnswerAsync(Request request)
    {
        switch (request.Key)
        {
            case ApiVersions:
                return Frame(request, answer => answer
                    .Int16(request.Version == 0 ? (short)0 : UnsupportedVersion)
                    .Int32(2)
                    .Int16(Metadata).Int16(0).Int16(MetadataVersion)
                    .Int16(ApiVersions).Int16(0).Int16(0));
            case Metadata when request.Version == MetadataVersion:
                break;
            default:
                return null;
        }

        var (how, changed) = Take();
        switch (how)
        {
            case MetadataAnswer.Closed:
                return null;
            case MetadataAnswer.Hanging:
                await changed.WaitAsync(_stopping.Token);
                return Frame(request, answer => Describe(answer, MetadataAnswer.Nothing, []));
            case MetadataAnswer.Garbage:
                return Frame(request, answer => answer.Bytes([.. Enumerable.Range(0, 200).Select(i => (byte)(i * 37 + 131))]));
            case MetadataAnswer.Endless:
                return [0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];
            case MetadataAnswer.Truncated:
                var whole = Frame(request, answer => Describe(answer, MetadataAnswer.Good, request.Topics()));
                var half = whole[..(whole.Length / 2)];
                BinaryPrimitives.WriteInt32BigEndian(half, half.Length - sizeof(int));
                return half;
            default:
                return Frame(request, answer => Describe(answer, how, request.Topics()));
        }
    }

    private (MetadataAnswer Answer, Task Changed) Take()
    {
        lock (_lock)
        {
            _asked++;
            return (_answer, _changed.Task);
        }
    }

    private Writer Describe(Writer answer, MetadataAnswer how, IReadOnlyList<string> asked)
    {
        var namesBroker = how is not (MetadataAnswer.Nothing or MetadataAnswer.NoBrokers or MetadataAnswer.Rebootstrap);
        var topics = how switch
        {
            MetadataAnswer.Nothing or MetadataAnswer.NoTopics or MetadataAnswer.Rebootstrap => [],
            MetadataAnswer.OtherTopics => ["another", "and-another"],
            _ => asked,
        };
        var hasPartitions = how is not (MetadataAnswer.NoPartitions or MetadataAnswer.TopicErrors);
        var topicError = how switch { MetadataAnswer.TopicErrors => UnknownServerError, _ => (short)0 };

        answer.Byte(0);   // the header's tags
        answer.Int32(0).Count(namesBroker ? 1 : 0);
        if (namesBroker)
        {
            answer.Int32(1).Text("127.0.0.1").Int32(AdvertisedPort).Byte(0).Byte(0);
        }

        answer.Text("fake").Int32(namesBroker && how is not MetadataAnswer.NoController ? 1 : -1).Count(topics.Count);
        foreach (var topic in topics)
        {
            answer.Int16(topicError).Text(topic).Int64(1).Int64(topic.Length).Byte(0).Count(hasPartitions ? 1 : 0);
            if (hasPartitions)
            {
                answer.Int16(namesBroker ? (short)0 : LeaderNotAvailable).Int32(0).Int32(namesBroker ? 1 : -1).Int32(0)
                    .Count(1).Int32(1).Count(1).Int32(1).Count(0).Byte(0);
            }

            answer.Int32(int.MinValue).Byte(0);
        }

        return answer.Int16(how switch { MetadataAnswer.Rebootstrap => RebootstrapRequired, MetadataAnswer.TopLevelError => UnknownServerError, _ => (short)0 })
            .Byte(0);
    }

    private static byte[] Frame(Request request, Func<Writer, Writer> body)
    {
        var answer = body(new Writer().Int32(0).Int32(request.Correlation)).ToArray();
        BinaryPrimitives.WriteInt32BigEndian(answer, answer.Length - sizeof(int));
        return answer;
    }

    private sealed class Request(byte[] bytes)
    {
        public short Key => BinaryPrimitives.ReadInt16BigEndian(bytes);

        public short Version => BinaryPrimitives.ReadInt16BigEndian(bytes.AsSpan(2));

        public int Correlation => BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(4));

        /// <summary>The topics of a request for metadata, version 10 or above: the client's name, tags, and then each with its id.</summary>
        public IReadOnlyList<string> Topics()
        {
            var at = 10 + Math.Max((short)0, BinaryPrimitives.ReadInt16BigEndian(bytes.AsSpan(8))) + 1;
            var topics = new string[Math.Max(0, Number(ref at) - 1)];
            for (var i = 0; i < topics.Length; i++)
            {
                at += 16;
                var length = Number(ref at) - 1;
                topics[i] = Encoding.UTF8.GetString(bytes, at, length);
                at += length + 1;
            }

            return topics;
        }

        private int Number(ref int at)
        {
            var (value, shift) = (0, 0);
            byte next;
            do
            {
                next = bytes[at++];
                value |= (next & 0x7F) << shift;
                shift += 7;
            }
            while ((next & 0x80) != 0);
            return value;
        }
    }

    private sealed class Writer
    {
        private readonly MemoryStream _bytes = new();

        public byte[] ToArray() => _bytes.ToArray();

        public Writer Byte(byte value) => Bytes([value]);

        public Writer Int16(short value)
        {
            Span<byte> bytes = stackalloc byte[sizeof(short)];
            BinaryPrimitives.WriteInt16BigEndian(bytes, value);
            return Bytes(bytes);
        }

        public Writer Int32(int value)
        {
            Span<byte> bytes = stackalloc byte[sizeof(int)];
            BinaryPrimitives.WriteInt32BigEndian(bytes, value);
            return Bytes(bytes);
        }

        public Writer Int64(long value)
        {
            Span<byte> bytes = stackalloc byte[sizeof(long)];
            BinaryPrimitives.WriteInt64BigEndian(bytes, value);
            return Bytes(bytes);
        }

        /// <summary>A compact array's length; below 127.</summary>
        public Writer Count(int count) => Byte((byte)(count + 1));

        /// <summary>A compact string; below 127 bytes.</summary>
        public Writer Text(string text)
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            return Count(bytes.Length).Bytes(bytes);
        }

        public Writer Bytes(ReadOnlySpan<byte> bytes)
        {
            _bytes.Write(bytes);
            return this;
        }
    }
}
