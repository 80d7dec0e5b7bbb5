using Mcp.Machine;

namespace Mcp.Daemon.Operations;

/// <summary>That an operation is being undone, where the journal could not be written: a file for each, made when there was room, in which
/// one byte is changed in its place. Else a kill in the middle of such an undo would have the operation go forward over it.</summary>
/// <param name="directory">Made when it is needed.</param>
public sealed class UndoMarks(string directory)
{
    private const byte Forward = (byte)'0';
    private const byte Undoing = (byte)'1';

    /// <exception cref="IOException">There is no room.</exception>
    public void Prepare(Guid id)
    {
        if (File.Exists(Of(id)))
            return;
        Directory.CreateDirectory(directory);
        WholeFile.Create(Of(id), $"{(char)Forward}\n");
    }

    /// <summary>As well as it can.</summary>
    public void Mark(Guid id)
    {
        try
        {
            using var file = new FileStream(Of(id), FileMode.Open, FileAccess.Write);
            file.WriteByte(Undoing);
            file.Flush(flushToDisk: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Then it is undone without: it frees something.
        }
    }

    public bool IsMarked(Guid id)
    {
        try
        {
            return File.ReadAllBytes(Of(id)) is [Undoing, ..];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    public void Remove(Guid id)
    {
        try
        {
            File.Delete(Of(id));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nobody asks for it any more.
        }
    }

    /// <summary>Removes all others.</summary>
    public void Keep(IEnumerable<Guid> ids)
    {
        if (!Directory.Exists(directory))
            return;
        foreach (var other in Directory.EnumerateFiles(directory).Except(ids.Select(Of)))
            File.Delete(other);
    }

    private string Of(Guid id) => Path.Combine(directory, id.ToString());
}
