namespace Narad.Kafka.Mongo;

/// <summary>Makes one request of all calls that come while the former request is on its way. Thread-safe.</summary>
/// <param name="request">Answers the calls, in their order. It is not cancelled: a caller that stops waiting leaves the others alone.</param>
internal sealed class SharedRequest<TCall, TAnswer>(Func<IReadOnlyList<TCall>, Task<IReadOnlyList<TAnswer>>> request)
{
    private readonly Lock _lock = new();
    private List<Waiting> _waiting = [];   // under _lock, as the next one
    private bool _isAsking;

    /// <summary>Takes part in the next request.</summary>
    /// <param name="call">The call.</param>
    /// <param name="cancellationToken">Ends the waiting; the request may have been made all the same.</param>
    public Task<TAnswer> CallAsync(TCall call, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var waiting = new Waiting(call);
        bool isFirst;
        lock (_lock)
        {
            _waiting.Add(waiting);
            (isFirst, _isAsking) = (!_isAsking, true);
        }

        if (isFirst)
        {
            _ = AskAsync();
        }

        return waiting.Answer.Task.WaitAsync(cancellationToken);
    }

    // Runs while somebody waits; ends under the lock, so that no call is left behind.
    private async Task AskAsync()
    {
        while (true)
        {
            List<Waiting> calls;
            lock (_lock)
            {
                if (_waiting.Count == 0)
                {
                    _isAsking = false;
                    return;
                }

                (calls, _waiting) = (_waiting, []);
            }

            try
            {
                var answers = await request(calls.ConvertAll(static waiting => waiting.Call)).ConfigureAwait(false);
                for (var i = 0; i < calls.Count; i++)
                {
                    calls[i].Answer.SetResult(answers[i]);
                }
            }
            catch (Exception error)
            {
                foreach (var waiting in calls)
                {
                    waiting.Answer.TrySetException(error);
                    _ = waiting.Answer.Task.Exception;   // nobody may be waiting any more
                }
            }
        }
    }

    private sealed record Waiting(TCall Call)
    {
        public TaskCompletionSource<TAnswer> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
