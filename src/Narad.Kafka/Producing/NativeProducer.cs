using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Confluent.Kafka;
using Narad.Kafka.Clients.Interop;
using static Narad.Kafka.Clients.Interop.Librdkafka;

namespace Narad.Kafka.Producing;

/// <summary>
/// The fast way into a client that Confluent.Kafka built: messages are handed to librdkafka directly, and its reports are taken a batch at a time, so that a
/// send costs neither a handle, nor a topic's name, nor the objects of a report. It never runs user code, and nobody else may poll the client.
/// </summary>
/// <remarks>
/// Threading: <see cref="TryProduce"/> is called by one thread at a time (the queue's lock); reports and errors come on this type's own thread. A message is
/// known to the client by the number of its slot: the table that leads back to the send grows under the queue's lock and is read by the polling thread, which
/// gives slots back together, under a lock of their own.
/// </remarks>
internal sealed unsafe class NativeProducer : IDisposable
{
    private const int PollMs = 1_000;
    private const int ReportsAtOnce = 256;
    private const int MostArguments = 8;

    private static readonly Error NoError = new(ErrorCode.NoError);

    private readonly SafeHandle _owner;
    private readonly nint _client;
    private readonly nint _queue;
    private readonly Action<Error> _onError;
    private readonly Thread _poll;

    // The queue's lock; the set has a lock of its own too, because another client may be in use when this one is closed.
    private readonly HashSet<nint> _topics = [];
    private readonly Stack<int> _free = new();

    // Written under the queue's lock, read by the polling thread: a send is in it before the client knows its slot.
    private volatile PendingSend?[] _slots = new PendingSend?[1_024];
    private int _used;

    // Interlocked. The latest event whose reports were taken. Destroying it frees its messages, which costs least on the thread that allocates: the next
    // sender destroys it, or the polling thread when the next event comes or nobody sends for a while.
    private nint _spent;

    private readonly Lock _returnedLock = new();
    private readonly Stack<int> _returned = new();

    // The polling thread's.
    private readonly SendReport[] _reports = new SendReport[ReportsAtOnce];

    private volatile bool _stopping;

    /// <summary>Takes over the polling of a client that was built without a background poll of its own.</summary>
    /// <param name="client">The client; it must outlive this object.</param>
    /// <param name="name">Its name, for the thread.</param>
    /// <param name="onError">Errors of the client as a whole; must not throw.</param>
    public NativeProducer(Handle client, string name, Action<Error> onError)
    {
        _owner = LibrdkafkaClient.Of(client)
            ?? throw new InvalidOperationException("Confluent.Kafka's client is not where this version of Narad.Kafka looks for it.");
        _onError = onError;
        var isAdded = false;
        _owner.DangerousAddRef(ref isAdded);
        _client = _owner.DangerousGetHandle();
        _queue = rd_kafka_queue_get_main(_client);
        _poll = new Thread(Poll) { IsBackground = true, Name = $"{name} reports" };
        _poll.Start();
    }

    /// <summary>As <see cref="IProducerClient.TryProduce"/>.</summary>
    public Error TryProduce(PendingSend send)
    {
        var topic = TopicOf(send.Queue);
        if (topic == 0)
        {
            return new Error(rd_kafka_last_error());
        }

        DestroySpent();
        var slot = Rent(send);
        var refused = send.Headers is null && send.Timestamp == 0 ? Produce(topic, send, slot) : ProduceWithHeaders(topic, send, slot);
        if (refused.Code is not ErrorCode.NoError)
        {
            _slots[slot] = null;
            _free.Push(slot);
        }

        return refused;
    }

    /// <summary>Lets go of what the client knows of a topic of which nothing is with it. Under the queue's lock.</summary>
    public void Forget(TopicQueue queue)
    {
        lock (_topics)
        {
            if (_topics.Remove(queue.ClientTopic.Topic))
            {
                rd_kafka_topic_destroy(queue.ClientTopic.Topic);
            }
        }

        queue.ClientTopic = default;
    }

    /// <summary>Ends the polling; what was not reported by now never is. The client itself is left to its owner.</summary>
    public void Dispose()
    {
        _stopping = true;
        rd_kafka_queue_yield(_queue);
        _poll.Join();
        DestroySpent();
        lock (_topics)
        {
            foreach (var topic in _topics)
            {
                rd_kafka_topic_destroy(topic);
            }

            _topics.Clear();
        }

        rd_kafka_queue_destroy(_queue);
        _owner.DangerousRelease();
    }

    private Error Produce(nint topic, PendingSend send, int slot)
    {
        // A reference to the first byte, which an empty array has too: null and empty stay apart.
        fixed (byte* key = &Start(send.KeyBytes))
        fixed (byte* value = &Start(send.Payload))
        {
            var refused = rd_kafka_produce(
                topic, send.Partition ?? Partition.Any.Value, CopyPayload, value, send.Payload?.Length ?? 0, key, send.KeyBytes?.Length ?? 0, slot);
            return refused == 0 ? NoError : LibrdkafkaClient.ErrorOf(_owner, rd_kafka_last_error(), reason: null);
        }
    }

    // Or with a timestamp: what the plain call does not take.
    private Error ProduceWithHeaders(nint topic, PendingSend send, int slot)
    {
        var headers = send.Headers is { } given ? Copy(given) : 0;
        nint error;
        fixed (byte* key = &Start(send.KeyBytes))
        fixed (byte* value = &Start(send.Payload))
        {
            var arguments = stackalloc Argument[MostArguments];
            arguments[0].Kind = ArgumentKind.Topic;
            arguments[0].Pointer = topic;
            arguments[1].Kind = ArgumentKind.Partition;
            arguments[1].Int32 = send.Partition ?? Partition.Any.Value;
            arguments[2].Kind = ArgumentKind.Flags;
            arguments[2].Int32 = CopyPayload;
            arguments[3].Kind = ArgumentKind.Value;
            arguments[3].Pointer = (nint)value;
            arguments[3].Length = send.Payload?.Length ?? 0;
            arguments[4].Kind = ArgumentKind.Key;
            arguments[4].Pointer = (nint)key;
            arguments[4].Length = send.KeyBytes?.Length ?? 0;
            arguments[5].Kind = ArgumentKind.Opaque;
            arguments[5].Pointer = slot;
            var count = 6;
            if (send.Timestamp != 0)
            {
                arguments[count].Kind = ArgumentKind.Timestamp;
                arguments[count++].Int64 = send.Timestamp;
            }

            if (headers != 0)
            {
                arguments[count].Kind = ArgumentKind.Headers;
                arguments[count++].Pointer = headers;
            }

            error = rd_kafka_produceva(_client, arguments, (nuint)count);
        }

        if (error == 0)
        {
            return NoError;   // the headers are the client's now
        }

        if (headers != 0)
        {
            rd_kafka_headers_destroy(headers);
        }

        var refused = LibrdkafkaClient.ErrorOf(
            _owner, rd_kafka_error_code(error), LibrdkafkaClient.Text(rd_kafka_error_string(error)), rd_kafka_error_is_fatal(error) != 0);
        rd_kafka_error_destroy(error);
        return refused;
    }

    private void DestroySpent(nint next = 0)
    {
        if ((next != 0 || Volatile.Read(ref _spent) != 0) && Interlocked.Exchange(ref _spent, next) is not 0 and var spent)
        {
            rd_kafka_event_destroy(spent);
        }
    }

    private static ref byte Start(byte[]? bytes)
    {
        if (bytes is null)
        {
            return ref Unsafe.NullRef<byte>();
        }

        return ref MemoryMarshal.GetArrayDataReference(bytes);
    }

    private static nint Copy(MessageHeader[] headers)
    {
        var list = rd_kafka_headers_new((nuint)headers.Length);
        foreach (var header in headers)
        {
            var name = Encoding.UTF8.GetBytes(header.Name);
            var value = header.Value;
            fixed (byte* nameStart = &Start(name))
            fixed (byte* valueStart = &Start(value))
            {
                rd_kafka_header_add(list, nameStart, name.Length, valueStart, value?.Length ?? 0);
            }
        }

        return list;
    }

    // The queue remembers what the current client calls its topic: a client comes after the other, and never two at once.
    private nint TopicOf(TopicQueue queue)
    {
        if (ReferenceEquals(queue.ClientTopic.Client, this))
        {
            return queue.ClientTopic.Topic;
        }

        var topic = rd_kafka_topic_new(_client, queue.Topic, configuration: 0);
        if (topic != 0)
        {
            lock (_topics)
            {
                _topics.Add(topic);
            }

            queue.ClientTopic = (this, topic);
        }

        return topic;
    }

    private int Rent(PendingSend send)
    {
        if (_free.Count == 0)
        {
            lock (_returnedLock)
            {
                while (_returned.TryPop(out var returned))
                {
                    _free.Push(returned);
                }
            }
        }

        if (!_free.TryPop(out var slot))
        {
            slot = _used++;
            if (slot == _slots.Length)
            {
                var larger = new PendingSend?[slot * 2];
                _slots.CopyTo(larger, 0);
                _slots = larger;
            }
        }

        _slots[slot] = send;
        return slot;
    }

    private void Poll()
    {
        while (!_stopping)
        {
            var occurred = rd_kafka_queue_poll(_queue, PollMs);
            if (occurred == 0)
            {
                DestroySpent();
                continue;
            }

            Handle(occurred);
            DestroySpent(next: occurred);
        }
    }

    private void Handle(nint occurred)
    {
        switch (rd_kafka_event_type(occurred))
        {
            case DeliveryReports:
                var reports = stackalloc LibrdkafkaMessage*[ReportsAtOnce];
                while (rd_kafka_event_message_array(occurred, reports, ReportsAtOnce) is var count and > 0)
                {
                    Take(reports, (int)count);
                }

                break;
            case ErrorEvent:
                _onError(LibrdkafkaClient.ErrorOf(_owner, rd_kafka_event_error(occurred), LibrdkafkaClient.Text(rd_kafka_event_error_string(occurred)),
                    rd_kafka_event_error_is_fatal(occurred) != 0));
                break;
        }
    }

    // The client's copy: what the caller does with its own memory since then does not matter.
    private static void GiveBack(LibrdkafkaMessage* report, PendingSend send)
    {
        nint list;
        if (send.Headers is { } headers && rd_kafka_message_headers(report, &list) == ErrorCode.NoError)
        {
            byte* name;
            byte* value;
            nuint length;
            for (var i = 0; i < headers.Length && rd_kafka_header_get_all(list, (nuint)i, &name, &value, &length) == ErrorCode.NoError; i++)
            {
                headers[i] = headers[i] with { Value = BytesOf(value, length) };
            }
        }

        send.Own(BytesOf(report->Value, report->ValueLength), BytesOf(report->Key, report->KeyLength));
    }

    private static byte[]? BytesOf(byte* bytes, nuint length) => bytes is null ? null : new ReadOnlySpan<byte>(bytes, (int)length).ToArray();

    private void Take(LibrdkafkaMessage** given, int count)
    {
        var slots = _slots;
        for (var i = 0; i < count; i++)
        {
            var report = given[i];
            var code = report->Error == ErrorCode.NoError ? ErrorCode.NoError : LibrdkafkaClient.ErrorOf(_owner, report->Error, reason: null).Code;
            var status = code == ErrorCode.NoError ? PersistenceStatus.Persisted : rd_kafka_message_status(report);
            var send = slots[(int)report->Opaque]!;
            slots[(int)report->Opaque] = null;
            if (code != ErrorCode.NoError && send.Borrows)
            {
                GiveBack(report, send);
            }

            _reports[i] = new SendReport(send, report->Partition, report->Offset, code, status);
        }

        PendingSend.Report(_reports.AsSpan(0, count));
        _reports.AsSpan(0, count).Clear();
        lock (_returnedLock)
        {
            for (var i = 0; i < count; i++)
            {
                _returned.Push((int)given[i]->Opaque);
            }
        }
    }
}
