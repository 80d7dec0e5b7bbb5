using Mcp.Model.Definition;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Model.Revisions;

namespace Mcp.Agent.Registry;

/// <summary>A component as the registry wants it.</summary>
/// <param name="Row">As it is stored: written back as it is where nothing changes it.</param>
/// <param name="Trouble">Why no new instance may be made of it: another version stored it. Empty: nothing is wrong.</param>
public sealed record StoredComponent(
    Label Service,
    ComponentDefinition Definition,
    ComponentRow Row,
    DateTimeOffset Updated,
    string Trouble)
{
    public string SpecHash => Row.SpecHash;

    public int Generation => Row.Generation;

    public DesiredState Desired => Enum.TryParse<DesiredState>(Row.Desired, out var desired) ? desired : DesiredState.Ignore;

    public InstanceName Instance => new(Service, Definition.Name, Row.Generation);
}

/// <summary>A component's row as text and numbers, for the journal: what an undo writes back.</summary>
/// <param name="Definition">Its body, as the version that stored it wrote it (<see cref="RevisionCodec"/>).</param>
/// <param name="SpecHash">Names that body, by that version; never computed anew.</param>
/// <param name="Image">And Runtime: for a text that this version cannot read.</param>
public sealed record ComponentRow(
    string Name,
    string Definition,
    string SpecHash,
    int Generation,
    string Desired,
    string Image,
    string Runtime)
{
    public static ComponentRow Of(ComponentDefinition component, int generation, DesiredState desired)
    {
        var body = RevisionCodec.Write(component);
        return new ComponentRow(
            component.Name.Text,
            body,
            RevisionId.Of(body),
            generation,
            desired.ToString(),
            component.Image.Text,
            Spellings.Runtimes.Spell(component.Runtime));
    }
}
